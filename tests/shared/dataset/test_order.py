"""The order is a bijection, the same for ever, and different in every epoch."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.order import EpochOrder, Positions, _mix
from shared.dataset.spec import MAX_SPLIT_COUNT
from shared.errors import UsageError

seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**32 - 1)


def inverse(order: EpochOrder, indices: Positions) -> Positions:
    """The position of each index: the rounds in reverse, each undone."""
    size_left, size_right = order._sides
    result, outside = indices.copy(), np.ones(indices.shape, bool)
    while outside.any():
        left, right = result[outside] // size_right, result[outside] % size_right
        for number, key in reversed(list(enumerate(order._keys))):
            if number % 2:
                right = (right + size_right - _mix(left ^ key) % size_right) % size_right
            else:
                left = (left + size_left - _mix(right ^ key) % size_left) % size_left
        result[outside] = left * size_right + right
        outside = result >= np.uint64(order.count)
    return result


@given(count=st.integers(1, 3000), seed=seeds, epoch=epochs)
def test_every_index_comes_exactly_once(count: int, seed: int, epoch: int) -> None:
    indices = EpochOrder(count, seed, epoch).indices(np.arange(count))
    assert np.array_equal(np.sort(indices), np.arange(count, dtype=np.uint64))


@given(count=st.integers(1, MAX_SPLIT_COUNT), seed=seeds, epoch=epochs, data=st.data())
def test_the_order_can_be_inverted_at_any_count(count: int, seed: int, epoch: int, data: st.DataObject) -> None:
    positions = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=20)), np.uint64)
    order = EpochOrder(count, seed, epoch)
    indices = order.indices(positions)
    assert np.all(indices < count)
    assert np.array_equal(inverse(order, indices), positions)


@given(count=st.integers(1, 1000), seed=seeds, epoch=epochs, data=st.data())
def test_random_access_agrees_with_reading_everything(count: int, seed: int, epoch: int, data: st.DataObject) -> None:
    order = EpochOrder(count, seed, epoch)
    position = data.draw(st.integers(0, count - 1))
    assert order.indices(np.array([position]))[0] == order.indices(np.arange(count))[position]


@given(count=st.integers(1, MAX_SPLIT_COUNT), seed=seeds)
def test_without_shuffling_position_is_index(count: int, seed: int) -> None:
    positions = np.array([0, count // 2, count - 1], np.uint64)
    assert np.array_equal(EpochOrder(count, seed, 3, shuffle=False).indices(positions), positions)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    heads = {
        EpochOrder(50_000, seed, epoch).indices(np.arange(8)).tobytes() for seed in range(20) for epoch in range(20)
    }
    assert len(heads) == 400


@pytest.mark.parametrize("count", [2, 3, 5, 17, 1000, 50_000])
def test_a_sample_is_as_likely_at_every_tenth_of_the_epoch(count: int) -> None:
    # 2,000 epochs; the position of sample 0, by tenths of the epoch, against the uniform distribution (chi-square).
    epochs_seen = 2000
    sample = np.array([0], np.uint64)
    places = [int(inverse(EpochOrder(count, 1, epoch), sample)[0]) for epoch in range(epochs_seen)]
    bins = min(count, 10)
    edges = np.arange(bins + 1) * count // bins
    observed = np.histogram(places, edges)[0]
    expected = np.diff(edges) / count * epochs_seen
    assert float(np.sum((observed - expected) ** 2 / expected)) < 33.7  # 1 in 10,000 for 9 degrees of freedom


def test_neighbours_in_the_epoch_are_far_apart_in_the_split() -> None:
    indices = EpochOrder(50_000, 0, 0).indices(np.arange(50_000)).astype(np.int64)
    steps = np.diff(indices)
    assert abs(float(np.corrcoef(indices[:-1], indices[1:])[0, 1])) < 0.02
    assert len(np.unique(steps)) > 30_000


@pytest.mark.parametrize(
    ("count", "seed", "epoch", "digest"),
    [
        (10, 0, 0, "b00d7368c2939aee"),
        (50_000, 0, 0, "2b9d9fac7dd09b27"),
        (50_000, 7, 3, "f8305863a40044f5"),
        (MAX_SPLIT_COUNT, 2**64 - 1, 2**32 - 1, "4de5f24301838c1b"),
    ],
)
def test_the_order_never_changes(count: int, seed: int, epoch: int, digest: str) -> None:
    indices = EpochOrder(count, seed, epoch).indices(np.arange(min(count, 4096)))
    assert hashlib.sha256(indices.astype("<u8").tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("positions", [[-1], [10], [0, 11]])
def test_positions_outside_the_epoch_are_refused(positions: list[int]) -> None:
    with pytest.raises(IndexError, match=r"must be in 0\.\.9"):
        EpochOrder(10).indices(np.array(positions))


@pytest.mark.parametrize("count", [0, -1, MAX_SPLIT_COUNT + 1])
def test_a_count_out_of_bounds_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match=r"count must be in 1\.\.2\^48"):
        EpochOrder(count)
