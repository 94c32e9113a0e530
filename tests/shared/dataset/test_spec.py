"""A spec checks itself, and equal specs have equal digests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.fit import Fit
from shared.dataset.spec import Dataset, DatasetSpec
from shared.dataset.style import Style
from shared.errors import UsageError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, r"seed must be an integer in 0\.\."),
        ({"seed": 2**64}, r"seed must be an integer in 0\.\."),
        ({"seed": 1.0}, r"seed must be an integer"),
        ({"seed": True}, r"seed must be an integer"),
        ({"width": 15}, r"width must be an integer in 16\.\.1024, got 15"),
        ({"height": 1025}, r"height must be an integer in 16\.\.1024, got 1025"),
        ({"max_length": 0}, r"max_length must be an integer in 1\.\.32"),
        ({"min_length": 5}, r"min_length must be an integer in 1\.\.4, got 5"),
        ({"alphabet": ""}, r"alphabet must be 1\.\.8192 distinct characters, got 0"),
        ({"styles": 5}, "styles must be a list of at most 64 styles, got 5"),
        ({"fit": {}}, "fit is for imported pictures"),
        ({"alphabet": "011"}, r"alphabet must be distinct characters, got '1' \(U\+0031\) twice"),
        ({"alphabet": "0 1"}, r"alphabet must hold visible characters, got ' ' \(U\+0020\), a space"),
    ],
)
def test_an_impossible_value_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DatasetSpec(**values)  # type: ignore[arg-type]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_digests_are_equal_exactly_for_equal_specs(one: int, other: int) -> None:
    assert (DatasetSpec(seed=one).digest() == DatasetSpec(seed=other).digest()) == (one == other)


@pytest.mark.parametrize(
    "other",
    [
        DatasetSpec(seed=1),
        DatasetSpec(width=100),
        DatasetSpec(height=60),
        DatasetSpec(alphabet="01"),
        DatasetSpec(min_length=2),
        DatasetSpec(max_length=5),
        DatasetSpec(styles=(Style(noise_dots=31),)),
        DatasetSpec(styles=(Style(), Style())),
        DatasetSpec(styles=()),
        DatasetSpec(styles=(), fit=Fit()),
    ],
)
def test_every_field_counts_in_the_digest(other: DatasetSpec) -> None:
    assert other.digest() != DatasetSpec().digest()


def test_the_default_digest_never_changes() -> None:
    assert DatasetSpec().digest()[:16] == "87a71b0fffe123d6"


def test_a_spec_comes_back_from_its_mapping() -> None:
    spec = DatasetSpec(seed=7, alphabet="abc", max_length=6)
    assert DatasetSpec.from_mapping(spec.to_mapping()) == spec
    with pytest.raises(UsageError, match=r"the description of a data set has no key 'sede'; did you mean seed\?"):
        DatasetSpec.from_mapping({"sede": 7})


def test_the_mapping_of_older_specs_is_as_it_was() -> None:
    values = {"seed": 0, "width": 160, "height": 64, "alphabet": "0123456789", "min_length": 1, "max_length": 4}
    assert DatasetSpec().to_mapping() == values
    assert list(DatasetSpec().to_mapping()) == list(values)
    assert DatasetSpec.from_mapping(values) == DatasetSpec()


def test_the_spec_of_imported_pictures_keeps_how_they_were_fitted() -> None:
    values = {"alphabet": "a b", "styles": [], "fit": {"mode": "crop", "ground": [0, 0, 0]}}
    spec = DatasetSpec.from_mapping(values)
    assert spec.is_imported
    assert spec.fit == Fit(mode="crop", ground=(0, 0, 0))
    assert DatasetSpec.from_mapping(json.loads(json.dumps(spec.to_mapping()))) == spec


@pytest.mark.parametrize("counts", [{}, {"Train": 5}, {"train": 0}, {"train": 2**48 + 1}, {"train": "5"}])
def test_a_data_set_refuses_impossible_splits(counts: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Dataset(spec=DatasetSpec(), counts=counts)
