"""The streams that have ended: how many, and the last ones in detail."""

import threading
from collections import Counter, deque
from dataclasses import dataclass

from shared.protocol.request import StreamRequest

_NUM_KEPT = 20


@dataclass(frozen=True)
class FinishedStream:
    """A stream that has ended."""

    request: StreamRequest
    peer: str
    num_images: int
    end: str
    "Why, as the log says it: done, cancelled by its reader, or the status it ended with."
    ended_s: float
    "A `perf_counter()`."
    lasted_s: float


class FinishedStreams:
    """Remembers the last ones and counts all, for any number of threads."""

    def __init__(self) -> None:
        self._last: deque[FinishedStream] = deque(maxlen=_NUM_KEPT)
        self._by_split: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, stream: FinishedStream) -> None:
        """The newest one."""
        with self._lock:
            self._last.append(stream)
            self._by_split[stream.request.split] += 1

    def newest_first(self) -> list[FinishedStream]:
        """The last 20."""
        with self._lock:
            return list(self._last)[::-1]

    def by_split(self) -> Counter[str]:
        """How many have ended."""
        with self._lock:
            return self._by_split.copy()
