"""A spec checks itself, and equal specs have equal digests."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.spec import Dataset, DatasetSpec
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
        ({"max_length": 0}, r"max_length must be an integer in 1\.\.16"),
        ({"min_length": 5}, r"min_length must be an integer in 1\.\.4, got 5"),
        ({"alphabet": "1"}, "alphabet must be 2..128 distinct"),
        ({"alphabet": "011"}, "alphabet must be 2..128 distinct"),
        ({"alphabet": "0 1"}, "alphabet must be printable ASCII without spaces, got ' '"),
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
    ],
)
def test_every_field_counts_in_the_digest(other: DatasetSpec) -> None:
    assert other.digest() != DatasetSpec().digest()


def test_the_default_digest_never_changes() -> None:
    assert DatasetSpec().digest()[:16] == "87a71b0fffe123d6"


def test_a_spec_comes_back_from_its_mapping() -> None:
    spec = DatasetSpec(seed=7, alphabet="abc", max_length=6)
    assert DatasetSpec.from_mapping(asdict(spec)) == spec
    with pytest.raises(UsageError, match="not the description of a data set"):
        DatasetSpec.from_mapping({"sede": 7})


@pytest.mark.parametrize("counts", [{}, {"Train": 5}, {"train": 0}, {"train": 2**48 + 1}, {"train": "5"}])
def test_a_data_set_refuses_impossible_splits(counts: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Dataset(spec=DatasetSpec(), counts=counts)
