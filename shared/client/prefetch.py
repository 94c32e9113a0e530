"""Prefetch: threads receive, check and decode the next batches while the caller is busy with the last one.

One thread receives and two decode, which is most of the work; together they keep up with a service. A caller that stops
reading costs a bounded amount of memory: at most `prefetch` batches and one more wait here, and then gRPC's flow
control stops the service.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from shared.client.retrying_stream import RetryingStream
from shared.errors import DataLoss
from shared.protocol.batch import Batch

_NUM_DECODERS = 2
_DEADLINE_CHECK_INTERVAL_S = 0.5


class BatchStream(Iterator[Batch]):
    """An iterator of the batches of a stream, in order of their steps. Close it, or use it in a `with` block."""

    def __init__(self, stream: RetryingStream, prefetch: int) -> None:
        self._stream, self._prefetch = stream, prefetch
        self.wait_s = 0.0
        "Seconds that `next` has waited for data so far."
        self._ready: deque[Future[Batch]] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._receive, name="batch-stream", daemon=True)
        self._thread.start()

    @property
    def reopened(self) -> int:
        """How often the stream was opened again after a fault."""
        return self._stream.reopened

    def __next__(self) -> Batch:
        started = time.monotonic()
        try:
            if decoded := self._next_ready():
                return decoded.result()
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
            with ThreadPoolExecutor(_NUM_DECODERS, "decode-batches") as decoders:
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
