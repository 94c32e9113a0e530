"""What a stream should give, computed without one."""

from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice
from shared.protocol.batch import Batch


def expected_indices(rank_slice: RankSlice, steps: range, seed: int, epoch: int) -> list[list[int]]:
    order = EpochOrder(rank_slice.count, seed, epoch)
    return [order.indices(rank_slice.positions(step)).tolist() for step in steps]


def indices_of(batches: list[Batch]) -> list[list[int]]:
    return [batch.indices.tolist() for batch in batches]
