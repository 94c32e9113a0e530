"""Where samples come from: the one protocol that the renderer and the LMDB shards both keep.

The law, checked by one contract suite over all sources: the same split and index give the same pixels and label, from
every source, in any order, alone or in company.
"""

from concurrent.futures import Future
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.dataset.spec import Dataset
from shared.protocol.batch import Records
from shared.protocol.codec import Codec

__all__ = ["Records", "SampleSource"]


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
        """'rendered' or 'shards', for people."""
        ...

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """Starts reading; the future raises `DataLoss` for a sample that cannot be had.

        The indices are within the split; there may be none, and one may come twice.
        """
        ...

    def close(self) -> None:
        """Lets go of processes and files; later reads fail."""
        ...
