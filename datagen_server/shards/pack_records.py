"""Encoded samples packed as records, a chunk at a time: what workers send to the process that writes shards.

Apart from rendering, because a worker that imports pictures loads no renderer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datagen_server.shards.record import DIGEST_MODULUS, layout_of, max_payload_bytes, record_key, sample_digest
from shared.dataset.spec import DatasetSpec
from shared.protocol.batch import classes_of
from shared.protocol.codec import Codec

EncodedSample = tuple[int, str, bytes | memoryview, bytes]
"Index, text, what `digested` its image gives, and the image encoded."


@dataclass(frozen=True)
class RecordTarget:
    """The data set and split that records belong to, and their codec."""

    spec: DatasetSpec
    fingerprint: str
    codec: Codec
    split: str


@dataclass(frozen=True)
class Rendered:
    """A chunk's records, in the order of its indices, and the sum of its samples' digests."""

    joined: NDArray[np.uint8]
    "One array, because arrays travel between processes without being copied into a pickle."
    ends: tuple[int, ...]
    "Where the records end in `joined`; 0 and one for each."
    digest: int

    @property
    def records(self) -> list[memoryview]:
        """Views of `joined`."""
        return [self.joined.data[start:end] for start, end in pairwise(self.ends)]


def pack_records(target: RecordTarget, samples: Iterable[EncodedSample], count: int) -> Rendered:
    """The records of `count` samples."""
    spec, codec = target.spec, target.codec
    layout, key = layout_of(spec), record_key(target.fingerprint, target.split)
    # One block, filled image by image: keeping the images and joining them costs four times the page faults.
    joined = np.empty(count * (layout.header_bytes + max_payload_bytes(spec)), np.uint8)
    view, ends, digest = joined.data, [0], 0
    for index, text, pixels, payload in samples:
        label = layout.stored(classes_of(text, spec.alphabet, spec.max_length))
        header = layout.header(key, index, codec, label, payload)
        body, end = ends[-1] + len(header), ends[-1] + len(header) + len(payload)
        view[ends[-1] : body], view[body:end] = header, payload
        ends.append(end)
        digest += sample_digest(target.split, index, label, pixels)
    return Rendered(joined[: ends[-1]], tuple(ends), digest % DIGEST_MODULUS)
