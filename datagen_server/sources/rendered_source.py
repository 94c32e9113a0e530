"""Samples rendered on demand, on all cores: a batch is cut into chunks, so that a single stream keeps them all busy."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.sources.sample_source import DamageCounts
from datagen_server.workers.pool import WorkerPool
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import Unavailable
from shared.protocol.batch import Records, label_of
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode
from shared.system.malloc import keep_freed_blocks

_CHUNK = 16
_T = TypeVar("_T")
_W = TypeVar("_W")


class RenderedSource:
    """A `SampleSource` that renders in `num_workers` processes. A worker may die: its work is done again."""

    codecs = tuple(Codec)
    kind = "rendered"
    is_rendered = True

    def __init__(
        self, spec: DatasetSpec, counts: Mapping[str, int], num_workers: int, font_files: FontFiles = NO_FONTS
    ) -> None:
        """font_files: of the spec's fonts. Raises `UsageError` when one is missing."""
        self.dataset = Dataset(spec=spec, counts=counts, fingerprint=fingerprint(spec, font_files))
        self._font_files = font_files
        self.damage = DamageCounts()
        self._pool = WorkerPool(num_workers, partial(_warm_up, spec, font_files), ahead=2)

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """Starts rendering; the future raises `Unavailable` once closed, or when workers keep dying."""
        parts = np.array_split(indices, -(-len(indices) // _CHUNK) or 1)
        try:
            renders = self.dataset.spec, self._font_files
            chunks = [self._pool.submit(_render_chunk, *renders, split, part, codec) for part in parts]
        except Unavailable as error:
            chunks = [_failed(error)]
        return _when_all(chunks, partial(_join, codec))

    def close(self) -> None:
        """Stops the workers after the chunks in hand; reads under way and later ones fail."""
        self._pool.shutdown(cancel_futures=True)


class _Chunk(NamedTuple):
    """What a worker sends back: arrays, because those come through shared memory."""

    payloads: list[NDArray[np.uint8]]
    "uint8 [size_bytes] each: one for each image, but with `Codec.RAW` one for all."
    labels: NDArray[np.uint16]


def _render_chunk(
    spec: DatasetSpec, font_files: FontFiles, split: str, indices: NDArray[np.uint64], codec: Codec
) -> _Chunk:
    renderer = _renderer(spec, font_files)
    samples = [renderer.render(split, int(index)) for index in indices]
    labels = np.empty((len(samples), spec.max_length), np.uint16)
    for label, (_, text) in zip(labels, samples, strict=True):
        label[:] = label_of(text, spec.alphabet, spec.max_length)
    payloads = [np.frombuffer(encode(image, codec), np.uint8) for image, _ in samples]
    return _Chunk([np.concatenate(payloads)] if codec is Codec.RAW and payloads else payloads, labels)


def _warm_up(spec: DatasetSpec, font_files: FontFiles) -> None:
    keep_freed_blocks()  # Else each chunk of raw images costs a fifth more, in page faults.
    _renderer(spec, font_files)


@lru_cache(maxsize=4)
def _renderer(spec: DatasetSpec, font_files: FontFiles) -> CaptchaRenderer:
    return CaptchaRenderer(spec, font_files)


def _join(codec: Codec, chunks: Sequence[_Chunk]) -> Records:
    payloads = [payload for chunk in chunks for payload in chunk.payloads]
    sizes = [] if codec is Codec.RAW else [len(payload) for payload in payloads]
    labels = np.concatenate([chunk.labels for chunk in chunks])
    return Records(codec, [payload.data for payload in payloads], np.array(sizes, np.uint32), labels)


def _failed(error: Exception) -> "Future[_Chunk]":
    future: Future[_Chunk] = Future()
    future.set_exception(error)
    return future


class _Combined(Future[_T]):
    """The future of several others; when cancelled, it cancels those that have not begun."""

    def __init__(self, parts: Sequence["Future[Any]"]) -> None:
        super().__init__()
        self._parts = parts

    def cancel(self) -> bool:
        cancelled = super().cancel()
        for part in self._parts if cancelled else ():
            part.cancel()
        return cancelled


def _when_all(parts: Sequence["Future[_T]"], combine: Callable[[Sequence[_T]], _W]) -> "Future[_W]":
    """A future of the combined results of `parts`, without a thread that waits for them."""
    left = list(parts)
    combined: Future[_W] = _Combined(left)
    lock = threading.Lock()
    num_left = len(left)

    def count(_: "Future[_T]") -> None:
        nonlocal num_left
        with lock:
            num_left -= 1
            if num_left:
                return
        try:
            if combined.set_running_or_notify_cancel():
                combined.set_result(combine([part.result() for part in left]))
        except Exception as error:
            combined.set_exception(error)
        finally:
            left.clear()  # The parts refer to this function: a cycle, which would keep their results for long.

    for part in parts:
        part.add_done_callback(count)
    return combined
