"""The data set in PyTorch's own loaders, with the real library."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice
from tests.frameworks.environment import needs_frameworks, run
from tests.support.services import ServiceProcess

pytestmark = needs_frameworks
READER = "tests.frameworks.read_torch"
WORKERS = [(0, None), (2, "fork"), (4, "fork"), (2, "spawn"), (4, "spawn")]


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with ServiceProcess() as service:
        yield service.target


def expected(epoch: int, **part: Any) -> list[list[Any]]:
    """The toy data set's 1000 samples: [epoch, step, indices] of every step."""
    order, mine = EpochOrder(1000, 0, epoch), RankSlice(count=1000, **part)
    return [[epoch, step, order.indices(mine.positions(step)).tolist()] for step in range(mine.num_steps)]


@pytest.mark.parametrize(("workers", "context"), WORKERS)
def test_workers_share_out_the_batches_of_an_epoch_each_once_and_in_order(
    target: str, workers: int, context: str | None
) -> None:
    told = run(READER, target=target, workers=workers, context=context, epochs=[2], global_batch_size=64)
    assert told["batches"] == expected(2, global_batch_size=64)
    assert told["expected"] == 15


def test_ranks_with_workers_read_their_own_slices(target: str) -> None:
    for rank in range(3):
        told = run(READER, target=target, workers=2, global_batch_size=60, rank=rank, ranks=3, codec=None)
        assert told["batches"] == expected(0, global_batch_size=60, rank=rank, ranks=3)


def test_persistent_workers_follow_the_epoch_that_is_set(target: str) -> None:
    told = run(READER, target=target, workers=2, epochs=[0, 1, 2], global_batch_size=100)
    assert told["batches"] == [step for epoch in range(3) for step in expected(epoch, global_batch_size=100)]


@pytest.mark.parametrize("loader", ["plain", "stateful"])
@pytest.mark.parametrize(("workers", "context"), WORKERS)
def test_a_state_saved_in_the_middle_of_an_epoch_gives_the_same_rest_in_a_new_process(
    target: str, tmp_path: Path, loader: str, workers: int, context: str | None
) -> None:
    asked = {"target": target, "workers": workers, "context": context, "loader": loader, "global_batch_size": 32}
    state, whole = str(tmp_path / "state"), expected(1, global_batch_size=32)
    first = run(READER, **asked, epochs=[1], stop_after=7, state=state)
    rest = run(READER, **asked, epochs=[1], state=state)
    assert first["batches"] == whole[:7]
    assert rest["batches"] == whole[7:]


def test_a_plain_state_may_go_on_with_another_number_of_workers(target: str, tmp_path: Path) -> None:
    state, whole = str(tmp_path / "state"), expected(0, global_batch_size=32)
    run(READER, target=target, workers=2, stop_after=7, state=state, global_batch_size=32)
    rest = run(READER, target=target, workers=3, state=state, global_batch_size=32)
    assert rest["batches"] == whole[7:]
