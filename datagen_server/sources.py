"""Where samples come from: the one protocol that the renderer and the LMDB shards both keep.

The law, checked by one contract suite over all sources: the same split and index give the same pixels and label, from
every source, in any order, alone or in company.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.codec import Codec
from shared.spec import Dataset


@dataclass(frozen=True, eq=False)
class Records:
    """n encoded samples as they go onto the wire."""

    codec: Codec
    payloads: Sequence[bytes | memoryview]
    "Joined, they are the n images in order; a raw payload may hold several images."
    image_sizes: NDArray[np.uint32]
    "[n] bytes of each image; [0] with `Codec.RAW`, where all have the same size."
    labels: NDArray[np.uint8]
    "[n, max_length], padded with the blank class."


class SampleSource(Protocol):
    """Gives encoded samples by index. Safe to call from many threads."""

    dataset: Dataset
    "Spec, split counts and fingerprint."
    codecs: tuple[Codec, ...]
    "What `read` may be asked for, the cheapest first."
    kind: str
    "'rendered' or 'shards', for people."

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """Starts reading; the future raises `DataLoss` for a sample that cannot be had. Indices are within the split."""
        ...

    def close(self) -> None:
        """Lets go of processes and files; later reads fail."""
        ...
