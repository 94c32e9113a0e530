"""What the long tests have to show: how often each promise was tried, how often it failed, the slowest recovery."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest


@dataclass(kw_only=True)
class Outcome:
    """One line of the table; a test counts into it as it goes."""

    promise: str
    "Numbers of architecture: 1 to 9, several joined by commas."
    what: str
    tries: int = 0
    failures: int = 0
    slowest_s: float | None = None
    "Longest that a reader waited for a batch, or a service for its end: see `note`."
    note: str = ""
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def one_try(self, times: int = 1) -> Iterator[None]:
        """Counts; an exception inside is a failure, and the tries after it go on."""
        try:
            yield
        except Exception as error:
            with self._lock:
                self.failures += 1
                self.problems.append(f"{type(error).__name__}: {error}")
        with self._lock:
            self.tries += times

    def took(self, seconds: float) -> None:
        """Remembers the slowest."""
        with self._lock:
            self.slowest_s = max(self.slowest_s or 0.0, seconds)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Remembers how long the block took, if it was the slowest."""
        started = time.monotonic()
        yield
        self.took(time.monotonic() - started)


OpenOutcome = Callable[..., AbstractContextManager[Outcome]]


@contextmanager
def recorded(record: Callable[[str, Any], None], **values: Any) -> Iterator[Outcome]:
    """An outcome that is handed to `record` at the end of the block; fails if it holds a failure."""
    outcome = Outcome(**values)
    try:
        yield outcome
    except BaseException:
        outcome.failures += 1
        raise
    finally:
        record("outcome", asdict(outcome))
        slowest = "" if outcome.slowest_s is None else f", slowest {outcome.slowest_s:.1f} s"
        note = f" ({outcome.note})" if outcome.note else ""
        print(f"\n{outcome.what}: {outcome.tries:,} tries, {outcome.failures:,} failures{slowest}{note}")
    assert not outcome.failures, outcome.problems[:5]


@pytest.fixture
def outcome(record_property: Callable[[str, Any], None]) -> OpenOutcome:
    """`outcome(promise=..., what=...)` is a line of the table of `make chaos`."""
    return lambda **values: recorded(record_property, **values)
