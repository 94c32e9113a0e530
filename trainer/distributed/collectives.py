"""Communication between the ranks of a run: joining them, means over all ranks, and checks that they agree.

Note: there is one collective per step. Gradients, loss and step statistics (who wants to stop, who waited for data how
long) travel in one vector, so all ranks get the same facts at the same step, and no rank stops alone.
"""

import hashlib
from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.communication import get_group_size, get_rank, init

from shared.errors import StreamingError
from trainer.distributed.world import World


def join_ranks(expected: World) -> World:
    """Joins the other processes that the launcher started; raises `StreamingError` when the ranks are not as planned.

    Call it before the first tensor is made (Ascend asks for that; not run on a device). In the scheduler's process it
    does not return before the ranks have ended.
    """
    try:
        init()
        found = World(get_rank(), get_group_size())
    except RuntimeError as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        raise StreamingError(f"the ranks did not find each other ({reason}); are all hosts started?") from error
    if found != expected:
        place = f"this process must be rank {expected.rank} of {expected.ranks}"
        problem = f"{place}, but MindSpore made it rank {found.rank} of {found.ranks}"
        raise StreamingError(f"{problem}; check the addresses in the rank table")
    return found


class MeanOverRanks(nn.Cell):
    """(gradients, statistics float32 [n]) -> the same, averaged over all ranks by one AllReduce."""

    def __init__(self, ranks: int, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.ranks = ranks
        ends = [int(end) for end in np.cumsum([int(np.prod(shape)) for shape in shapes])]
        self.parts = tuple(zip([0, *ends], ends, shapes, strict=False))
        self.num_values = ends[-1]
        # The operator asks for the group when it is made, and a run of one rank has none.
        self.add_up = ops.AllReduce() if ranks > 1 else ops.identity

    def construct(self, grads: tuple[ms.Tensor, ...], statistics: ms.Tensor) -> tuple[tuple[ms.Tensor, ...], ms.Tensor]:
        """See the class."""
        if self.ranks == 1:
            return grads, statistics
        mean = self.add_up(ops.concat([grad.reshape(-1) for grad in grads] + [statistics])) / self.ranks
        means = [mean[start:end].reshape(shape) for start, end, shape in self.parts]
        return tuple(means), mean[self.num_values :]


def sum_over_ranks(world: World, counts: Sequence[int]) -> list[int]:
    """Waits for all ranks; the sum of each count over them."""
    if world.ranks == 1:
        return list(counts)
    found = ops.AllGather()(ms.Tensor(np.array(counts, np.int32))).asnumpy()
    sums: list[int] = found.reshape(world.ranks, -1).sum(axis=0).tolist()
    return sums


def check_same(world: World, what: str, text: str) -> None:
    """Waits for all ranks; raises `StreamingError` on every one of them unless all gave the same `text`."""
    if world.ranks == 1:
        return
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.int32)
    found = ops.AllGather()(ms.Tensor(digest)).asnumpy().reshape(world.ranks, -1)
    if different := [str(rank) for rank in range(world.ranks) if (found[rank] != found[0]).any()]:
        raise StreamingError(f"rank {', '.join(different)} has other {what} than rank 0; all hosts need one --run-dir")
