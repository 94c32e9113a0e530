"""Rendering as a task for a worker process: a chunk of indices goes in, finished records come out.

Workers only render; one process writes. So a worker needs no file system in common with it, may die at any moment
without leaving a file behind, and LMDB never writes to a network disk.

Note: each worker compares its own fingerprint with the plan's before it renders. A worker with another version of
Pillow would otherwise add other pixels to the set.
"""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.shards.manifest import Plan
from datagen_server.shards.pack_records import EncodedSample, RecordTarget, Rendered, pack_records
from datagen_server.shards.record import digested
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.spec import DatasetSpec
from shared.errors import ForeignDataset
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


def render_chunk(chunk: Chunk) -> Rendered:
    """What a worker does. Raises `ForeignDataset` when this renderer draws other pixels than it should."""
    renderer = _renderer(chunk.spec, chunk.fingerprint, chunk.font_files)

    def samples() -> Iterator[EncodedSample]:
        for index in chunk.indices:
            image, text = renderer.render(chunk.split, index)
            yield index, text, digested(chunk.spec, image), encode(image, chunk.codec)

    target = RecordTarget(chunk.spec, chunk.fingerprint, chunk.codec, chunk.split)
    return pack_records(target, samples(), len(chunk.indices))


@lru_cache(maxsize=1)
def _renderer(spec: DatasetSpec, expected_fingerprint: str, font_files: FontFiles) -> CaptchaRenderer:
    own_fingerprint = fingerprint(spec, font_files)
    if own_fingerprint != expected_fingerprint:
        problem = f"{platform.node()} renders other pixels (fingerprint {own_fingerprint[:12]}"
        raise ForeignDataset(f"{problem}, wanted {expected_fingerprint[:12]}); install the same versions there")
    return CaptchaRenderer(spec, font_files)
