"""The reading order of an epoch: a keyed bijection position -> index, computed, never stored.

A generalised Feistel network (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002): a position is
split into (left, right) below (a, b) with a*b barely above the count, and each half is shifted in turn by a keyed hash
of the other. Results past the end walk the cycle until they land inside, which keeps it a bijection of 0..count-1.

Cost: about eight mixes of 64 bits per position, O(1) memory, any count up to 2^48, random access.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.dataset.seeding import order_keys
from shared.dataset.spec import MAX_SPLIT_COUNT
from shared.errors import UsageError

_ROUNDS = 8
Positions = NDArray[np.uint64]


@dataclass(frozen=True)
class EpochOrder:
    """The order of one epoch over `count` samples; the identity when not shuffled."""

    count: int
    seed: int = 0
    epoch: int = 0
    shuffle: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_SPLIT_COUNT:
            raise UsageError(f"count must be in 1..2^48, got {self.count}")

    @cached_property
    def _keys(self) -> tuple[np.uint64, ...]:
        return tuple(np.uint64(key) for key in order_keys(self.seed, self.epoch, _ROUNDS))

    @cached_property
    def _sides(self) -> tuple[np.uint64, np.uint64]:
        left = math.isqrt(self.count - 1) + 1
        return np.uint64(left), np.uint64(-(-self.count // left))

    def indices(self, positions: NDArray[np.integer[Any]]) -> Positions:
        """The sample index at each position: uint64 [n] for integers [n] in 0..count-1; `IndexError` outside."""
        if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= self.count):
            raise IndexError(f"must be in 0..{self.count - 1}, got {int(positions.min())}..{int(positions.max())}")
        result = positions.astype(np.uint64)
        if not self.shuffle:
            return result
        outside = np.ones(result.shape, bool)
        while outside.any():
            result[outside] = self._permute(result[outside])
            outside = result >= np.uint64(self.count)
        return result

    def _permute(self, values: Positions) -> Positions:
        size_left, size_right = self._sides
        left, right = values // size_right, values % size_right
        for number, key in enumerate(self._keys):
            if number % 2:
                right = (right + _mix(left ^ key) % size_right) % size_right
            else:
                left = (left + _mix(right ^ key) % size_left) % size_left
        return left * size_right + right


def _mix(values: Positions) -> Positions:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
