"""How long a rank has waited for data, the wait that lasts included."""

from time import perf_counter


class WaitClock:
    """Written by the training thread, read by any thread, without a lock."""

    def __init__(self) -> None:
        # (seconds of the waits that are over, start of the wait that lasts or None): replaced as one value.
        self._state: tuple[float, float | None] = 0.0, None

    def begin(self) -> float:
        """Starts a wait; returns the time, a `perf_counter()`."""
        now = perf_counter()
        self._state = self._state[0], now
        return now

    def end(self) -> float:
        """Ends the wait; returns how long it took, in seconds."""
        before_s, since = self._state
        took_s = perf_counter() - since if since is not None else 0.0
        self._state = before_s + took_s, None
        return took_s

    def seconds(self, now: float) -> tuple[float, float]:
        """(in all, of the wait that lasts) until `now`, a `perf_counter()` taken before this call."""
        before_s, since = self._state
        lasting_s = max(0.0, now - since) if since is not None else 0.0
        return before_s + lasting_s, lasting_s
