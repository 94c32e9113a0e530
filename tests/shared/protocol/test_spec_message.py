"""A spec and its message are each other's inverse, and the message has a field for every parameter of a style."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.fit import Fit
from shared.dataset.fonts import Font
from shared.dataset.spec import DatasetSpec
from shared.dataset.style import FIELD_TYPES, Style
from shared.errors import UsageError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.spec_message import spec_message, spec_of
from tests.datagen_server.rendering.styles import library_styles

FONTS = (Font("A.ttf", "0" * 64), Font("B.ttf", "1" * 64))


def there_and_back(spec: DatasetSpec) -> DatasetSpec:
    return spec_of(pb.DatasetSpec.FromString(spec_message(spec).SerializeToString()))


@given(st.lists(library_styles(FONTS), max_size=3), st.integers(0, 2**64 - 1))
def test_a_spec_comes_back_from_its_message(styles: list[Style], seed: int) -> None:
    spec = DatasetSpec(seed=seed, alphabet="a中é", max_length=32, styles=tuple(styles))
    assert there_and_back(spec) == spec
    assert there_and_back(spec).digest() == spec.digest()


@pytest.mark.parametrize(
    "spec",
    [
        DatasetSpec(),
        DatasetSpec(styles=(Style(noise_lines=2, character_colors=True, background="texture"),)),
        DatasetSpec(styles=(), alphabet="a b"),
        DatasetSpec(styles=(), fit=Fit(mode="crop", ground=(1, 2, 3))),
    ],
)
def test_what_the_library_has_not_comes_back_too(spec: DatasetSpec) -> None:
    assert there_and_back(spec) == spec


def test_the_message_has_the_parameters_of_a_style_and_no_others() -> None:
    assert {field.name for field in pb.Style.DESCRIPTOR.fields} == set(FIELD_TYPES)


def test_a_message_out_of_bounds_is_refused_by_name() -> None:
    message = spec_message(DatasetSpec())
    message.styles[0].noise_dots = 5000
    with pytest.raises(UsageError, match="style noise_dots must be an integer in 0"):
        spec_of(message)
