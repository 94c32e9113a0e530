"""Which positions of an epoch a rank reads at a step: pure functions of five numbers.

Step s consumes the global batch of positions [s*G, (s+1)*G); rank r takes the r-th equal slice of it. The global batch
therefore does not depend on how many ranks there are.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidRequest

MAX_GLOBAL_BATCH_SIZE = 65_536
MAX_RANKS = 65_536


class Remainder(Enum):
    """What happens to the samples after the last full global batch."""

    DROP = "drop"
    "They are left out: every batch is full. For training."
    PAD = "pad"
    "They come as one short last global batch, which the reader pads and masks. For evaluation."


@dataclass(frozen=True, kw_only=True)
class RankSlice:
    """One rank's part of an epoch of `count` samples. Checks itself; raises `InvalidRequest` naming the field."""

    count: int
    global_batch_size: int
    rank: int = 0
    ranks: int = 1
    remainder: Remainder = Remainder.DROP

    def __post_init__(self) -> None:
        if not 1 <= self.ranks <= MAX_RANKS:
            raise InvalidRequest("ranks", f"must be in 1..{MAX_RANKS}, got {self.ranks}")
        if not 0 <= self.rank < self.ranks:
            raise InvalidRequest("rank", f"must be in 0..{self.ranks - 1} (ranks={self.ranks}), got {self.rank}")
        if not 1 <= self.global_batch_size <= MAX_GLOBAL_BATCH_SIZE:
            bound = f"must be in 1..{MAX_GLOBAL_BATCH_SIZE}"
            raise InvalidRequest("global_batch_size", f"{bound}, got {self.global_batch_size}")
        if self.global_batch_size % self.ranks:
            problem = f"must be a multiple of ranks ({self.ranks}), got {self.global_batch_size}"
            raise InvalidRequest("global_batch_size", problem)
        if self.remainder is Remainder.DROP and self.global_batch_size > self.count:
            problem = f"must be at most the split's {self.count} samples when the remainder is dropped"
            raise InvalidRequest("global_batch_size", f"{problem}, got {self.global_batch_size}")

    @property
    def batch_size(self) -> int:
        """Samples of this rank in a full step."""
        return self.global_batch_size // self.ranks

    @property
    def num_steps(self) -> int:
        """Steps in an epoch, the same for every rank."""
        full, rest = divmod(self.count, self.global_batch_size)
        return full + (self.remainder is Remainder.PAD and rest > 0)

    def positions(self, step: int) -> NDArray[np.uint64]:
        """uint64 [n]: the positions this rank reads at `step`; n < batch_size only in the last step under `PAD`."""
        start = step * self.global_batch_size + self.rank * self.batch_size
        return np.arange(min(start, self.count), min(start + self.batch_size, self.count), dtype=np.uint64)
