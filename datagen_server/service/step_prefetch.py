"""Prefetching on the server: the next steps of a stream are read ahead, so that rendering, joining and sending overlap.

How far ahead is bounded by steps and by bytes. With gRPC's flow control, that is all the memory a slow reader costs.
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from datagen_server.sources.sample_source import SampleSource
from shared.protocol.batch import Records
from shared.protocol.batch_message import encode_batch
from shared.protocol.request import StreamRequest

_STEPS_AHEAD = 4
_BYTES_AHEAD = 16 << 20
# One call of the order for many small steps costs little more than for one.
_POSITIONS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class _Read:
    step: int
    indices: NDArray[np.uint64]
    records: Future[Records]


class StepPrefetcher:
    """The steps of a stream, in order, as the bytes of their messages. Iterated by one thread, cancelled by any."""

    def __init__(self, source: SampleSource, request: StreamRequest) -> None:
        self._source, self._request = source, request
        step_bytes = request.rank_slice.batch_size * request.dataset.spec.image_bytes
        self._num_ahead = max(1, min(_STEPS_AHEAD, _BYTES_AHEAD // step_bytes))
        self._ahead: deque[_Read] = deque()
        self._current: _Read | None = None
        self._left = _indices_of(request)
        self._lock = threading.Lock()
        self._cancelled = False

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(step, message) pairs; raises what the source raises, and ends early once cancelled."""
        while (read := self._next_read()) is not None:
            try:
                records = read.records.result()
            except CancelledError:
                return
            yield read.step, encode_batch(self._request.epoch, read.step, read.indices, records)

    def cancel(self) -> None:
        """Cancels the reads ahead, and ends a wait for them."""
        with self._lock:
            self._cancelled = True
            for read in (self._current, *self._ahead):
                if read is not None:
                    read.records.cancel()
            self._ahead.clear()

    def _next_read(self) -> _Read | None:
        with self._lock:
            if self._cancelled:
                return None
            for step, indices in islice(self._left, self._num_ahead + 1 - len(self._ahead)):
                records = self._source.read(self._request.split, indices, self._request.codec)
                self._ahead.append(_Read(step, indices, records))
            self._current = self._ahead.popleft() if self._ahead else None
            return self._current


def _indices_of(request: StreamRequest) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Each step with its sample indices, computed for many small steps at once."""
    size = max(1, _POSITIONS_AT_ONCE // request.rank_slice.batch_size)
    for start in range(request.steps.start, request.steps.stop, size):
        steps = range(start, min(start + size, request.steps.stop))
        positions = [request.rank_slice.positions(step) for step in steps]
        ends = np.cumsum([len(part) for part in positions])[:-1]
        yield from zip(steps, np.split(request.order.indices(np.concatenate(positions)), ends), strict=True)
