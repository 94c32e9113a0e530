"""Rendering as work for any `concurrent.futures.Executor`: chunks of samples go out, finished records come back.

Workers only render; one process writes. So a worker needs no file system in common with it, may die at any moment
without leaving a file behind, and LMDB never meets a network disk.

What surprises: each worker compares its own fingerprint with the plan's before it renders. One with another Pillow
would otherwise slip other pixels into the set.
"""

import platform
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.shards.manifest import Plan
from datagen_server.shards.record import (
    DIGEST_MODULUS,
    HEADER_BYTES,
    header_of,
    max_payload_bytes,
    record_key,
    sample_digest,
)
from datagen_server.workers.pool import WorkerPool
from shared.dataset.spec import DatasetSpec
from shared.errors import ForeignDataset, StreamingError, UsageError
from shared.protocol.batch import label_of
from shared.protocol.codec import Codec, encode


@dataclass(frozen=True)
class Chunk:
    """Samples that are rendered together."""

    spec: DatasetSpec
    fingerprint: str
    codec: Codec
    split: str
    indices: range


def chunk_of(plan: Plan, split: str, indices: range) -> Chunk:
    """The chunk of these samples; it is small, unlike the plan, which may list many shards."""
    return Chunk(plan.dataset.spec, plan.dataset.fingerprint, plan.codec, split, indices)


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


@dataclass(frozen=True)
class Workers:
    """An executor and how many chunks it can work on at once."""

    executor: Executor
    num_workers: int
    lost_errors: tuple[type[Exception], ...] = (BrokenExecutor, CancelledError, OSError)
    "What the executor raises when it has lost its workers."
    is_alive: Callable[[], bool] = lambda: True
    "Asked every second of waiting: an executor that has lost everything may raise nothing at all."

    def render(self, chunks: Iterable[Chunk]) -> Generator[Rendered, None, None]:
        """The rendered chunks in order, with three for each worker under way, so that memory stays bounded.

        Raises `ForeignDataset` when a worker renders other pixels, `StreamingError` when workers are lost.
        """
        waiting: deque[Future[Rendered]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self.executor.submit(render_chunk, chunk))
                if len(waiting) >= 3 * self.num_workers:
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        except self.lost_errors as error:
            problem = f"a rendering process was lost ({type(error).__name__}); finished shards are kept"
            raise StreamingError(f"{problem}: run it again to go on") from error
        finally:
            for future in waiting:
                future.cancel()

    def _result(self, future: "Future[Rendered]") -> Rendered:
        while not wait([future], timeout=1).done:
            if not self.is_alive():
                raise ConnectionError("the workers are gone")
        return future.result()


def render_chunk(chunk: Chunk) -> Rendered:
    """What a worker does. Raises `ForeignDataset` when this renderer draws other pixels than it should."""
    spec, codec = chunk.spec, chunk.codec
    renderer = _renderer(spec, chunk.fingerprint)
    key = record_key(chunk.fingerprint, chunk.split)
    # One block that is filled as the pictures come: keeping them and joining them costs four times the page faults.
    joined = np.empty(len(chunk.indices) * (HEADER_BYTES + max_payload_bytes(spec)), np.uint8)
    view, ends, digest = joined.data, [0], 0
    for index in chunk.indices:
        image, text = renderer.render(chunk.split, index)
        label = label_of(text, spec.alphabet, spec.max_length)
        payload = encode(image, codec)
        start, end = ends[-1], ends[-1] + HEADER_BYTES + len(payload)
        view[start : start + HEADER_BYTES] = header_of(key, index, codec, label, payload)
        view[start + HEADER_BYTES : end] = payload
        ends.append(end)
        digest += sample_digest(chunk.split, index, label, image)
    return Rendered(joined[: ends[-1]], tuple(ends), digest % DIGEST_MODULUS)


@contextmanager
def process_workers(num_workers: int) -> Iterator[Workers]:
    """Processes on this machine. They end with their parent, however it ends."""
    pool = WorkerPool(num_workers, ahead=2)
    try:
        yield Workers(pool, num_workers)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def dask_workers(scheduler: str, timeout_s: float = 10) -> Iterator[Workers]:
    """The workers of a running dask.distributed scheduler, each with this package installed."""
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise UsageError("--executor dask needs dask: pip install 'captcha-streaming[dask]'") from error
    try:
        client = distributed.Client(scheduler, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no dask scheduler answers at {scheduler}: {error}") from error
    with client:
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=timeout_s)
        if not (num_workers := sum(client.nthreads().values())):
            raise UsageError(f"the dask scheduler at {scheduler} has no workers: start some, `dask worker {scheduler}`")
        # Its executor unpacks the result of a future that is lost with the scheduler as if it were an exception.
        lost_errors = distributed.KilledWorker, TypeError, *Workers.lost_errors
        yield Workers(client.get_executor(), num_workers, lost_errors, lambda: client.status == "running")


@lru_cache(maxsize=1)
def _renderer(spec: DatasetSpec, expected_fingerprint: str) -> CaptchaRenderer:
    own_fingerprint = fingerprint(spec)
    if own_fingerprint != expected_fingerprint:
        problem = f"{platform.node()} renders other pixels (fingerprint {own_fingerprint[:12]}"
        raise ForeignDataset(f"{problem}, wanted {expected_fingerprint[:12]}); install the same versions there")
    return CaptchaRenderer(spec)
