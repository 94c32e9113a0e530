"""Retry and backoff: how often a failed call is tried again, after which pause, and when that is given up."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import DataLoss, ForeignDataset, StreamingError, Unavailable

_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 2.0
_MAX_DOUBLINGS = 16
_MAX_REFUSALS = 3
REPLICA_FAULTS = ForeignDataset, DataLoss
"Errors of one replica: another one, of the right data set or with undamaged files, may serve the same request."


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """The time limits of a client."""

    connect_timeout_s: float = 5.0
    "For the first answer of a service, and for single samples."
    read_timeout_s: float = 12.0
    "For one step. Doubled after each timeout until a step arrives, so that a slow service is read in the end."
    give_up_after_s: float = 60.0
    "Of retries without a single step, until it is an error."


class Retries:
    """Counts the failures since the last success, over all replicas."""

    def __init__(self, policy: RetryPolicy, targets: Sequence[str]) -> None:
        self._policy, self._targets = policy, targets
        self._failing_since: float | None = None
        self._num_failures = self._num_refusals = 0

    def succeeded(self) -> None:
        """Forgets the failures."""
        self._failing_since = None
        self._num_failures = self._num_refusals = 0

    def failed(self, error: StreamingError, place: str) -> float:
        """Counts a failure; the pause before the next try, in seconds. place: the step that failed, for messages.

        Raises `error` when replicas have refused three times in a row, or all of them, and `Unavailable` when nothing
        has succeeded for `give_up_after_s`.
        """
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        self._num_refusals = self._num_refusals + 1 if isinstance(error, REPLICA_FAULTS) else 0
        if self._num_refusals >= max(_MAX_REFUSALS, len(self._targets)):
            raise error
        if (failing_s := now - self._failing_since) > self._policy.give_up_after_s:
            advice = f"check it with: python -m datagen_server health --target {','.join(self._targets)}"
            raise Unavailable(f"{error}; gave up at {place} after {failing_s:.0f} s; {advice}") from error
        num_rounds = self._num_failures // len(self._targets)
        self._num_failures += 1
        return backoff_s(num_rounds)


def backoff_s(num_rounds: int) -> float:
    """Exponential backoff with full jitter: a random pause whose bound doubles with each round over all replicas."""
    bound_s: float = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(num_rounds, _MAX_DOUBLINGS))
    return random.random() * bound_s
