"""How long a training will still take, by the steps of its last minute."""

from collections import deque
from collections.abc import Callable
from time import monotonic

_WINDOW = 60
_EVERY_S = 1.0


class RemainingTime:
    """Written by the training thread, read by any. The first step counts for nothing: it contains the compilation."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        # (when, steps done) about once a second.
        self._marks: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._newest: tuple[float, int] | None = None

    def step(self, done: int) -> None:
        """A step has ended."""
        self._newest = now, _ = self._clock(), done
        if not self._marks or now >= self._marks[-1][0] + _EVERY_S:
            self._marks.append(self._newest)

    @property
    def has_begun(self) -> bool:
        """Whether the first step is done, and so the network is compiled."""
        return self._newest is not None

    def seconds(self, num_steps: int) -> float | None:
        """Until `num_steps` are done; None before the second step."""
        newest = self._newest
        if newest is None or newest[1] <= self._marks[0][1]:
            return None
        (since, before), (until, done) = self._marks[0], newest
        return max(0.0, (until - since) / (done - before) * (num_steps - done) - (self._clock() - until))
