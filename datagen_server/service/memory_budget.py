"""One bound on the memory of all calls: what is read ahead, encoded and on its way to a reader.

Every step is reserved before it is read, and given back once it is sent. A call that finds too little left waits its
turn, first come, first served; a call may always hold one message, so none waits for ever behind an empty server. What
the process holds besides, such as freed blocks that malloc keeps and buffers of gRPC, is measured and counts as held.
"""

import threading
from collections import deque
from time import perf_counter

from shared.errors import UsageError
from shared.system.limits import memory_limit

MIN_BYTES = 64 << 20
_GRANTED = threading.Event()
_GRANTED.set()


def default_memory() -> int:
    """Bytes: half of what this process may use. The rest is for the interpreter, its workers and open shards."""
    return max(MIN_BYTES, memory_limit() // 2)


def check_memory(limit: int) -> None:
    """Raises `UsageError` for a budget that holds too little to serve."""
    if limit < MIN_BYTES:
        raise UsageError(f"--memory must be at least {MIN_BYTES >> 20}M, got {limit >> 20}M")


class Reservation:
    """A part of a budget, or a place in the queue for it. Safe to release from any thread, and more than once."""

    def __init__(self, budget: "MemoryBudget", num_bytes: int, granted: threading.Event) -> None:
        self._budget, self.num_bytes = budget, num_bytes
        self.asked_s = perf_counter()
        self.granted = granted
        "Set once the bytes are held, and also by `release`."
        self.released = False

    def wait(self) -> bool:
        """Blocks until the bytes are held; False if the reservation was released meanwhile."""
        self.granted.wait()
        return not self.released

    def shrink(self, num_bytes: int) -> None:
        """Gives back all but `num_bytes`, if it holds more."""
        self._budget.resize(self, num_bytes)

    def release(self) -> None:
        """Gives all back, or leaves the queue."""
        self._budget.release(self)


class MemoryBudget:
    """`limit` bytes to hold at once. Raises `UsageError` for less than `MIN_BYTES`."""

    def __init__(self, limit: int) -> None:
        check_memory(limit)
        self.limit = limit
        self.held = 0
        "Bytes that are reserved now."
        self._unreserved = 0
        self._queue: deque[Reservation] = deque()
        self._lock = threading.Lock()

    def ask(self, num_bytes: int) -> Reservation:
        """A reservation that may have to `wait`."""
        reservation = Reservation(self, num_bytes, threading.Event())
        with self._lock:
            self._queue.append(reservation)
            self._admit()
        return reservation

    def take(self, num_bytes: int) -> Reservation | None:
        """A reservation that is held at once, or None if there is too little or others wait."""
        with self._lock:
            if self._queue or not self._has_room(num_bytes):
                return None
            self.held += num_bytes
        return Reservation(self, num_bytes, _GRANTED)

    def waiting_since(self) -> list[float]:
        """`perf_counter()` times at which those that wait have asked, the first one's first."""
        with self._lock:
            return [reservation.asked_s for reservation in self._queue]

    def count_unreserved(self, num_bytes: int) -> None:
        """Bytes in memory that no reservation covers; at most a quarter of the limit is set aside for them."""
        with self._lock:
            self._unreserved = min(num_bytes, self.limit // 4)
            self._admit()

    def resize(self, reservation: Reservation, num_bytes: int) -> None:
        """See `Reservation.shrink`."""
        with self._lock:
            if reservation.granted.is_set() and not reservation.released and num_bytes < reservation.num_bytes:
                self.held -= reservation.num_bytes - num_bytes
                reservation.num_bytes = num_bytes
                self._admit()

    def release(self, reservation: Reservation) -> None:
        """See `Reservation.release`."""
        with self._lock:
            if reservation.released:
                return
            reservation.released = True
            if reservation.granted.is_set():
                self.held -= reservation.num_bytes
            else:
                self._queue.remove(reservation)
                reservation.granted.set()
            self._admit()

    def _admit(self) -> None:
        while self._queue and (not self.held or self._has_room(self._queue[0].num_bytes)):
            self._grant(self._queue.popleft())

    def _has_room(self, num_bytes: int) -> bool:
        return self.held + self._unreserved + num_bytes <= self.limit

    def _grant(self, reservation: Reservation) -> None:
        self.held += reservation.num_bytes
        reservation.granted.set()
