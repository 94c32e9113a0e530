"""Ranks share every global batch without gap or overlap, whatever their number."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rank_slice import RankSlice, Remainder
from shared.errors import InvalidRequest


@st.composite
def epochs(draw: st.DrawFn) -> tuple[int, int, int, Remainder]:
    """(count, global_batch_size, ranks, remainder)"""
    ranks = draw(st.integers(1, 8))
    global_batch_size = ranks * draw(st.integers(1, 20))
    remainder = draw(st.sampled_from(Remainder))
    count = draw(st.integers(global_batch_size if remainder is Remainder.DROP else 1, 2000))
    return count, global_batch_size, ranks, remainder


def _slices(count: int, size: int, ranks: int, remainder: Remainder) -> list[RankSlice]:
    return [
        RankSlice(count=count, global_batch_size=size, rank=rank, ranks=ranks, remainder=remainder)
        for rank in range(ranks)
    ]


@given(epochs())
def test_the_ranks_together_read_each_global_batch_in_order(epoch: tuple[int, int, int, Remainder]) -> None:
    count, size, _, _ = epoch
    slices = _slices(*epoch)
    for step in range(slices[0].num_steps):
        together = np.concatenate([one.positions(step) for one in slices])
        assert np.array_equal(together, np.arange(step * size, min((step + 1) * size, count)))


@given(epochs())
def test_all_ranks_take_the_same_number_of_steps(epoch: tuple[int, int, int, Remainder]) -> None:
    assert len({one.num_steps for one in _slices(*epoch)}) == 1


@given(epochs())
def test_drop_leaves_out_less_than_one_global_batch_and_pad_nothing(epoch: tuple[int, int, int, Remainder]) -> None:
    count, size, _, remainder = epoch
    slices = _slices(*epoch)
    read = sum(len(one.positions(step)) for one in slices for step in range(one.num_steps))
    assert read == (count if remainder is Remainder.PAD else count - count % size)


@given(epochs())
def test_every_batch_is_full_when_the_remainder_is_dropped(epoch: tuple[int, int, int, Remainder]) -> None:
    count, size, ranks, _ = epoch
    for one in _slices(max(count, size), size, ranks, Remainder.DROP):
        assert {len(one.positions(step)) for step in range(one.num_steps)} == {size // ranks}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("ranks", {"ranks": 0}),
        ("ranks", {"ranks": 65_537}),
        ("rank", {"rank": 4, "ranks": 4}),
        ("rank", {"rank": -1, "ranks": 4}),
        ("global_batch_size", {"global_batch_size": 0}),
        ("global_batch_size", {"global_batch_size": 65_537}),
        ("global_batch_size", {"global_batch_size": 100, "ranks": 8}),
        ("global_batch_size", {"global_batch_size": 1001}),
    ],
)
def test_a_field_out_of_bounds_is_named(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field} must be") as caught:
        RankSlice(**{"count": 1000, "global_batch_size": 64, **values})
    assert caught.value.field == field
