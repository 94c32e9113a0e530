"""Prefetching on the server: the next steps of a stream are read ahead, so that rendering, joining and sending overlap.

What takes no time, such as reading from memory, is not done ahead: it is sent while it is still in a core's cache.
How far ahead is bounded by steps and by the server's memory budget: that, and gRPC's flow control, is all that a slow
reader can cost. What is read ahead never keeps others waiting: only the next step may wait for memory.
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen_server.service.memory_budget import MemoryBudget, Reservation
from datagen_server.sources.sample_source import SampleSource
from shared.protocol.batch import Records
from shared.protocol.batch_message import encode_batch
from shared.protocol.request import StreamRequest

_STEPS_AHEAD = 4
_BYTES_AHEAD = 16 << 20
# One call of the order for many small steps costs little more than for one.
_POSITIONS_AT_ONCE = 4096
# A step as records, as a message, and as the copy that gRPC keeps until the last byte of it has left.
_COPIES = 2


@dataclass(frozen=True, eq=False)
class _Read:
    step: int
    indices: NDArray[np.uint64]
    records: Future[Records]
    memory: Reservation

    def cancel(self) -> None:
        """Gives its memory back when it is known that nobody fills it any more."""
        self.records.cancel()
        self.records.add_done_callback(lambda _: self.memory.release())


@dataclass(frozen=True, eq=False)
class EncodedStep:
    """A step on its way to gRPC, which keeps what it was given last until it gets the next: so it is given this."""

    step: int
    num_bytes: int
    _message: list[bytes]

    def take(self) -> bytes:
        """The message, once: from then on it is only where it was taken to."""
        return self._message.pop()


class StepPrefetcher:
    """The steps of a stream, in order, encoded. Iterated by one thread, cancelled by any."""

    def __init__(self, source: SampleSource, request: StreamRequest, budget: MemoryBudget) -> None:
        self._source, self._request, self._budget = source, request, budget
        step_bytes = request.rank_slice.batch_size * request.dataset.spec.image_bytes
        self._step_memory = _COPIES * step_bytes
        self._max_ahead = max(1, min(_STEPS_AHEAD, _BYTES_AHEAD // step_bytes))
        self._num_ahead = 0
        self._ahead: deque[_Read] = deque()
        self._current: _Read | None = None
        self._waits_for: Reservation | None = None
        self._left = _indices_of(request)
        self._next = next(self._left, None)
        self._lock = threading.Lock()
        self._cancelled = False

    def __iter__(self) -> Iterator[EncodedStep]:
        """Raises what the source raises, and ends early once cancelled. A step is sent once the next is asked for."""
        while (read := self._next_read()) is not None:
            memory = read.memory
            try:
                encoded = self._encoded(read)
                del read  # Its records are in the message now.
                memory.shrink(_COPIES * encoded.num_bytes)
                yield encoded
            except CancelledError:
                return
            finally:
                memory.release()

    def cancel(self) -> None:
        """Cancels the reads ahead, and ends a wait for them."""
        with self._lock:
            self._cancelled = True
            for read in (self._current, *self._ahead):
                if read is not None:
                    read.cancel()
            self._ahead.clear()
            if self._waits_for is not None:
                self._waits_for.release()

    def _encoded(self, read: _Read) -> EncodedStep:
        message = encode_batch(self._request.epoch, read.step, read.indices, read.records.result())
        with self._lock:
            self._current = None
        return EncodedStep(read.step, len(message), [message])

    def _next_read(self) -> _Read | None:
        with self._lock:
            while len(self._ahead) <= self._num_ahead and self._next and not self._cancelled:
                memory = self._budget.take(self._step_memory)
                if memory is None:
                    break
                self._start(*self._next, memory)
            if self._ahead or not self._next or self._cancelled:
                return self._pop()
            following = self._next
            self._waits_for = memory = self._budget.ask(self._step_memory)
        held = memory.wait()
        with self._lock:
            self._waits_for = None
            if held and self._cancelled:
                memory.release()
            elif held:
                self._start(*following, memory)
            return self._pop()

    def _start(self, step: int, indices: NDArray[np.uint64], memory: Reservation) -> None:
        records = self._source.read(self._request.split, indices, self._request.codec)
        self._ahead.append(_Read(step, indices, records, memory))
        self._num_ahead = 0 if records.done() else self._max_ahead
        self._next = next(self._left, None)

    def _pop(self) -> _Read | None:
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
