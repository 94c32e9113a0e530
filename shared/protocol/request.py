"""The request of a stream of batches. It says everything, since the service keeps nothing between requests.

Client and service check it with this same code, so both refuse a mistake with the same message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypedDict

from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice, Remainder
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import InvalidRequest, NotFound
from shared.protocol.codec import Codec

MAX_BATCH_SIZE = 4096
"Samples in one message."
MAX_BATCH_BYTES = 64 << 20
"Pixels in one message, before they are encoded."
MAX_SAMPLES = 256
"Samples in one GetSamplesResponse."
MAX_EPOCH = 2**32 - 1
MAX_UINT64 = 2**64 - 1


@dataclass(frozen=True, kw_only=True)
class StreamRequest:
    """One rank's slices of consecutive steps of one epoch.

    Checks itself; raises `NotFound` for the split and `InvalidRequest`, naming the field, for any other.
    """

    dataset: Dataset
    split: str
    order_seed: int = 0
    "0..2^64-1; apart from the spec's seed."
    shuffle: bool = True
    epoch: int = 0
    "0..2^32-1."
    first_step: int = 0
    "Within the epoch, 0..its number of steps."
    num_steps: int = 0
    "0: to the end of the epoch."
    global_batch_size: int = 64
    "Samples per step over all ranks, a multiple of `ranks`."
    rank: int = 0
    ranks: int = 1
    remainder: Remainder = Remainder.DROP
    codec: Codec = Codec.RAW

    def __post_init__(self) -> None:
        _check_range("order_seed", self.order_seed, 0, MAX_UINT64)
        _check_range("epoch", self.epoch, 0, MAX_EPOCH)
        limit = min(MAX_BATCH_SIZE, MAX_BATCH_BYTES // self.dataset.spec.image_bytes)
        if self.rank_slice.batch_size > limit:
            bound = f"must give a rank at most {limit} samples a step (4096, and 64 MiB of pixels)"
            raise InvalidRequest("global_batch_size", f"{bound}, got {self.rank_slice.batch_size}")
        _check_range("first_step", self.first_step, 0, self.rank_slice.num_steps)
        _check_range("num_steps", self.num_steps, 0, self.rank_slice.num_steps - self.first_step)

    @property
    def count(self) -> int:
        """Samples in the split."""
        return count_of(self.dataset, self.split)

    @cached_property
    def rank_slice(self) -> RankSlice:
        """Which positions this rank reads at each step."""
        return RankSlice(
            count=self.count,
            global_batch_size=self.global_batch_size,
            rank=self.rank,
            ranks=self.ranks,
            remainder=self.remainder,
        )

    @cached_property
    def order(self) -> EpochOrder:
        """Which index is at each position."""
        return EpochOrder(self.count, self.order_seed, self.epoch, self.shuffle)

    @property
    def steps(self) -> range:
        """The steps asked for."""
        return range(self.first_step, self.first_step + self.num_steps if self.num_steps else self.rank_slice.num_steps)

    def of_steps(self, steps: range) -> Self:
        """The same request for `steps` alone, at least one of the epoch's."""
        return replace(self, first_step=steps.start, num_steps=len(steps))


class StreamFields(TypedDict, total=False):
    """The fields of a `StreamRequest` that callers of `DatasetClient.stream` may leave out."""

    order_seed: int
    shuffle: bool
    epoch: int
    first_step: int
    num_steps: int
    global_batch_size: int
    rank: int
    ranks: int
    remainder: Remainder


def count_of(dataset: Dataset, split: str) -> int:
    """How many samples a split has; raises `NotFound` with the names there are."""
    if split not in dataset.counts:
        name = split if len(split) <= 40 else f"{split[:40]}..."
        raise NotFound(f"split must be one of {', '.join(dataset.counts)}, got {name!r}")
    return dataset.counts[split]


def max_samples(spec: DatasetSpec) -> int:
    """How many samples one GetSamplesRequest may ask for."""
    return max(1, min(MAX_SAMPLES, MAX_BATCH_BYTES // spec.image_bytes))


def check_indices(dataset: Dataset, split: str, indices: Sequence[int]) -> None:
    """Raises `NotFound` or `InvalidRequest` unless each of `indices` is within the split."""
    count = count_of(dataset, split)
    for index in indices:
        _check_range("indices", index, 0, count - 1)


def _check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidRequest(field, f"must be in {low}..{high}, got {value}")
