"""What a training tells while it runs: the terminal, the live page and TensorBoard each listen to it."""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from trainer.run_dir import MetricsRow


class TrainingObserver(Protocol):
    """Is called by the training thread, between steps: it must be quick."""

    def step(self, done: int, loss: float) -> None:
        """After each optimizer step; done: steps since the start of training."""
        ...

    def log(self, row: MetricsRow) -> None:
        """After each log interval."""
        ...


class RateLimit:
    """Lets something happen at most once in `interval_s`."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._interval_s, self._clock, self._next_s = interval_s, clock, 0.0

    def allows(self) -> bool:
        """Whether it may happen now; if so, it is taken to happen."""
        now = self._clock()
        if now < self._next_s:
            return False
        self._next_s = now + self._interval_s
        return True
