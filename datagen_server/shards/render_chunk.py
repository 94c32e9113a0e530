"""Rendering as a task for a worker process: a chunk of indices goes in, finished records come out.

Workers only render; one process writes. So a worker needs no file system in common with it, may die at any moment
without leaving a file behind, and LMDB never writes to a network disk.

Note: each worker compares its own fingerprint with the plan's before it renders. A worker with another version of
Pillow would otherwise add other pixels to the set.
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.shards.manifest import Plan
from datagen_server.shards.record import (
    DIGEST_MODULUS,
    digested,
    layout_of,
    max_payload_bytes,
    record_key,
    sample_digest,
)
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.spec import DatasetSpec
from shared.errors import ForeignDataset
from shared.protocol.batch import label_of
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode


@dataclass(frozen=True)
class Chunk:
    """Samples that are rendered together."""

    spec: DatasetSpec
    fingerprint: str
    codec: Codec
    split: str
    indices: range
    font_files: FontFiles
    "Where the worker finds the spec's fonts: the same paths on every host."


def chunk_of(plan: Plan, split: str, indices: range, font_files: FontFiles = NO_FONTS) -> Chunk:
    """The chunk of these samples; it is small, unlike the plan, which may list many shards."""
    return Chunk(plan.dataset.spec, plan.dataset.fingerprint, plan.codec, split, indices, font_files)


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


def render_chunk(chunk: Chunk) -> Rendered:
    """What a worker does. Raises `ForeignDataset` when this renderer draws other pixels than it should."""
    renderer = _renderer(chunk.spec, chunk.fingerprint, chunk.font_files)

    def samples() -> Iterator[EncodedSample]:
        for index in chunk.indices:
            image, text = renderer.render(chunk.split, index)
            yield index, text, digested(chunk.spec, image), encode(image, chunk.codec)

    target = RecordTarget(chunk.spec, chunk.fingerprint, chunk.codec, chunk.split)
    return pack_records(target, samples(), len(chunk.indices))


def pack_records(target: RecordTarget, samples: Iterable[EncodedSample], count: int) -> Rendered:
    """The records of `count` samples."""
    spec, codec = target.spec, target.codec
    layout, key = layout_of(spec), record_key(target.fingerprint, target.split)
    # One block, filled image by image: keeping the images and joining them costs four times the page faults.
    joined = np.empty(count * (layout.header_bytes + max_payload_bytes(spec)), np.uint8)
    view, ends, digest = joined.data, [0], 0
    for index, text, pixels, payload in samples:
        label = layout.stored(label_of(text, spec.alphabet, spec.max_length))
        header = layout.header(key, index, codec, label, payload)
        body, end = ends[-1] + len(header), ends[-1] + len(header) + len(payload)
        view[ends[-1] : body], view[body:end] = header, payload
        ends.append(end)
        digest += sample_digest(target.split, index, label, pixels)
    return Rendered(joined[: ends[-1]], tuple(ends), digest % DIGEST_MODULUS)


@lru_cache(maxsize=1)
def _renderer(spec: DatasetSpec, expected_fingerprint: str, font_files: FontFiles) -> CaptchaRenderer:
    own_fingerprint = fingerprint(spec, font_files)
    if own_fingerprint != expected_fingerprint:
        problem = f"{platform.node()} renders other pixels (fingerprint {own_fingerprint[:12]}"
        raise ForeignDataset(f"{problem}, wanted {expected_fingerprint[:12]}); install the same versions there")
    return CaptchaRenderer(spec, font_files)
