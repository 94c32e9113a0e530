"""The protocol of every source of samples, whether they are rendered or stored.

What must hold, checked by one contract suite over all sources: the same split and index give the same pixels and label,
from every source, in any order, alone or in a batch.
"""

from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.dataset.spec import Dataset
from shared.protocol.batch import Records
from shared.protocol.codec import Codec

__all__ = ["DamageCounts", "Records", "SampleSource"]


@dataclass(frozen=True, eq=False)
class DamageCounts:
    """Reads of damaged records since the source was opened, by the name of the stored file, and missing files."""

    healed: Counter[str] = field(default_factory=Counter)
    "Rendered again, and served."
    refused: Counter[str] = field(default_factory=Counter)
    "Not served: they could not be rendered again."
    missing: set[str] = field(default_factory=set)
    "Files that were not there when they were last looked for."


class SampleSource(Protocol):
    """Gives encoded samples by index. Safe to call from many threads."""

    @property
    def dataset(self) -> Dataset:
        """Spec, split counts and fingerprint."""
        ...

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """What `read` may be asked for, the cheapest first."""
        ...

    @property
    def kind(self) -> str:
        """Its name for people, such as 'rendered' or 'shards'. No code depends on it."""
        ...

    @property
    def is_rendered(self) -> bool:
        """Whether samples are rendered when they are asked for; False: they are stored."""
        ...

    @property
    def damage(self) -> DamageCounts:
        """What was found damaged; stays empty for a source that stores nothing."""
        ...

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """Starts reading and does not wait; the future raises `DataLoss` for a sample that is lost.

        The indices are within the split; there may be none, and one may come twice.
        """
        ...

    def close(self) -> None:
        """Ends its processes and closes its files; later reads raise a `StreamingError`. May be called twice."""
        ...
