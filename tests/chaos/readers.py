"""Readers under fire, and what they got compared with what the reading order says."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared.client import BatchStream, DatasetClient
from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice
from tests.support.outcomes import Outcome
from tests.support.toys import same_as_toy

SPLIT = "train"
WIDTH, HEIGHT = 64, 32
TOY = "tests.support.toy_server", "PORT", "--width", str(WIDTH), "--height", str(HEIGHT), "--train"


def oracle(part: RankSlice, epoch: int) -> list[NDArray[np.uint64]]:
    """The indices of every step of an epoch, computed without any service."""
    order = EpochOrder(part.count, 0, epoch)
    return [order.indices(part.positions(step)) for step in range(part.num_steps)]


def read_epoch(
    client: DatasetClient,
    outcome: Outcome,
    after_step: Callable[[int, BatchStream], None],
    *,
    epoch: int = 0,
    global_batch_size: int = 64,
    rank: int = 0,
    ranks: int = 1,
) -> None:
    """Reads one rank's part of an epoch of the toy data set; raises unless each step came once, in order, and right.

    outcome: told the longest wait for a batch; after_step: called with each step, between batches.
    """
    part = RankSlice(count=client.dataset.counts[SPLIT], global_batch_size=global_batch_size, rank=rank, ranks=ranks)
    got: list[NDArray[np.uint64]] = []
    with client.stream(
        SPLIT, epoch=epoch, global_batch_size=global_batch_size, rank=rank, ranks=ranks, prefetch=2
    ) as stream:
        started = time.monotonic()
        for batch in stream:
            outcome.took(time.monotonic() - started)
            assert same_as_toy(batch, client.dataset.spec, SPLIT), f"step {batch.step} came with wrong pixels"
            got.append(batch.indices)
            after_step(batch.step, stream)
            started = time.monotonic()
    assert_same(got, oracle(part, epoch))


def assert_same(got: list[NDArray[np.uint64]], expected: list[NDArray[np.uint64]]) -> None:
    """Names how many samples were lost and how many came twice; the order counts as well."""
    found, wanted = (np.concatenate([np.empty(0, np.uint64), *steps]) for steps in (got, expected))
    lost, twice = np.setdiff1d(wanted, found).size, found.size - np.unique(found).size
    assert not lost, f"{lost} samples lost"
    assert not twice, f"{twice} samples came twice"
    assert np.array_equal(found, wanted), "the order is another"
