"""Prefetch: threads receive, check and decode the next batches while the caller is busy with the last one.

One thread receives; two to four decode, as many as there are cores, which is most of the work. A caller that stops
reading costs a bounded amount of memory: at most `prefetch` batches and one more wait here, and then gRPC's flow
control stops the service.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from shared.client.retrying_stream import RetryingStream
from shared.client.stream_state import StreamState, resumed, state_of
from shared.errors import DataLoss
from shared.protocol.batch import Batch
from shared.protocol.request import StreamRequest
from shared.system.limits import num_cores

_MIN_DECODERS, _MAX_DECODERS = 2, 4
"""For one reader on 16 cores, who reads Zstandard, four were 1.26 times as fast as two; with more the service is the
limit."""
_DEADLINE_CHECK_INTERVAL_S = 0.5


class BatchStream(Iterator[Batch]):
    """An iterator of the batches of a stream, in order of their steps. Close it, or use it in a `with` block."""

    def __init__(
        self, request: StreamRequest, prefetch: int, open_stream: Callable[[StreamRequest], RetryingStream]
    ) -> None:
        self._prefetch, self._open_stream = prefetch, open_stream
        self.wait_s = 0.0
        "Seconds that `next` has waited for data so far."
        self._changed = threading.Condition()
        self._start(request)

    def _start(self, request: StreamRequest) -> None:
        self._request, self._stream = request, self._open_stream(request)
        self._next_step = request.steps.start
        self._ready: deque[Future[Batch]] = deque()
        self._ended = self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._receive, name="batch-stream", daemon=True)
        self._thread.start()

    def state_dict(self) -> StreamState:
        """The place after the last batch that `next` gave: plain values, to be saved with what was computed from it.

        Batches that were received ahead do not count.
        """
        return state_of(self._request, self._next_step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on at a saved place, to the end of its epoch; with another rank or number of ranks if need be.

        Raises `UsageError` when the state is of another data set, split, order or global batch size.
        """
        request = resumed(self._request, state)
        self.close()
        self._start(request)

    @property
    def is_received(self) -> bool:
        """Whether all its batches are here, so that the service is done with it."""
        return self._ended and self._error is None

    @property
    def reopened(self) -> int:
        """How often the stream was opened again after a fault."""
        return self._stream.reopened

    def __next__(self) -> Batch:
        started = time.monotonic()
        try:
            if decoded := self._next_ready():
                batch = decoded.result()
                self._next_step = batch.step + 1
                return batch
        except DataLoss:
            self.close()
            raise
        finally:
            self.wait_s += time.monotonic() - started
        if self._error is not None and not self._closed:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Ends the stream at once; later `next` calls end the iteration. Safe to call from a signal handler."""
        with self._changed:
            if self._closed:
                return  # Another thread, or the code that a signal interrupted, is closing it.
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._stream.close()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_ready(self) -> Future[Batch] | None:
        """The next batch, or None after the last; not necessarily decoded yet."""
        with self._changed:
            while not self._ready and not self._ended:
                self._changed.wait(_DEADLINE_CHECK_INTERVAL_S)
                self._stream.check_deadline()
            if not self._ready or self._closed:
                return None
            self._changed.notify_all()
            return self._ready.popleft()

    def _receive(self) -> None:
        try:
            with ThreadPoolExecutor(_num_decoders(), "decode-batches") as decoders:
                for batch in self._stream:
                    with self._changed:
                        self._changed.wait_for(lambda: len(self._ready) < self._prefetch or self._closed)
                        if self._closed:
                            break
                        self._ready.append(decoders.submit(batch.decode))
                        self._changed.notify_all()
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


def _num_decoders() -> int:
    return min(_MAX_DECODERS, max(_MIN_DECODERS, num_cores()))


class BatchStreams:
    """The batches of several requests, such as epochs, one after the other.

    The next stream is opened once the one before is received, while its last batches are used: so the service never has
    two of them, and up to twice `prefetch` batches wait here. To be iterated once, by one thread; any thread may close
    it.
    """

    def __init__(self, requests: Iterable[StreamRequest], open_stream: Callable[[StreamRequest], BatchStream]) -> None:
        self._requests, self._open_stream = iter(requests), open_stream
        self._streams: deque[BatchStream] = deque()  # That which is read, and the next one.
        self._reopened = 0
        self._closed = False

    @property
    def reopened(self) -> int:
        """How often a stream was opened again after a fault."""
        return self._reopened + sum(stream.reopened for stream in list(self._streams))

    def __iter__(self) -> Iterator[Batch]:
        try:
            self._open_next()
            while self._streams and not self._closed:
                stream = self._streams[0]
                for batch in stream:
                    if len(self._streams) == 1 and stream.is_received:
                        self._open_next()
                    yield batch
                self._reopened += stream.reopened
                self._streams.popleft().close()
                if not self._streams:
                    self._open_next()
        finally:
            self.close()

    def close(self) -> None:
        """Ends all streams at once; later `next` calls end the iteration. Safe to call from a signal handler."""
        self._closed = True
        for stream in list(self._streams):
            stream.close()

    def _open_next(self) -> None:
        if self._closed or (request := next(self._requests, None)) is None:
            return
        self._streams.append(self._open_stream(request))
        if self._closed:  # `close` may not have seen it.
            self.close()
