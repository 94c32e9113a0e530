"""What differs between two specs is named, in few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.fonts import Font
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_difference import Difference, spec_differences
from shared.dataset.style import Style
from tests.datagen_server.rendering.styles import library_styles

FONTS = Font("A.ttf", "1" * 64), Font("A.ttf", "2" * 64), Font("B.ttf", "3" * 64)


@pytest.mark.parametrize(
    ("one", "other", "differences"),
    [
        (DatasetSpec(seed=1, width=99), DatasetSpec(), [("seed", "1", "0"), ("width", "99", "160")]),
        (
            DatasetSpec(styles=(Style(noise_dots=5),)),
            DatasetSpec(styles=(Style(noise_dots=6, weight=2),)),
            [("style weight", "1", "2"), ("style noise_dots", "5", "6")],
        ),
        (DatasetSpec(), DatasetSpec(styles=()), [("the number of styles", "1", "0")]),
        (
            DatasetSpec(styles=(Style(fonts=FONTS[:1]),)),
            DatasetSpec(styles=(Style(fonts=FONTS[1:2]),)),
            [("the bytes of font A.ttf", "SHA-256 1111111111111111...", "SHA-256 2222222222222222...")],
        ),
        (
            DatasetSpec(styles=(Style(fonts=FONTS[:1]),)),
            DatasetSpec(styles=(Style(fonts=FONTS[2:]),)),
            [("style fonts", "A.ttf", "B.ttf")],
        ),
        (DatasetSpec(), DatasetSpec(styles=(Style(fonts=FONTS[2:]),)), [("style fonts", "the library's own", "B.ttf")]),
    ],
)
def test_differences_are_named(one: DatasetSpec, other: DatasetSpec, differences: list[tuple[str, str, str]]) -> None:
    assert spec_differences(one, other) == [Difference(*difference) for difference in differences]


@given(st.lists(library_styles(FONTS), max_size=3), st.lists(library_styles(FONTS), max_size=3))
def test_there_are_differences_exactly_between_different_specs(one: list[Style], other: list[Style]) -> None:
    specs = DatasetSpec(styles=tuple(one)), DatasetSpec(styles=tuple(other))
    found = spec_differences(*specs)
    assert bool(found) == (specs[0] != specs[1])
    assert all(len(value) < 200 for difference in found for value in difference)
