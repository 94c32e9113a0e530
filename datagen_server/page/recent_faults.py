"""The last warnings of the service, for its status page: refused calls, damaged records, renderers that died."""

import logging
from collections import deque
from dataclasses import dataclass
from time import time
from types import TracebackType
from typing import Self

from shared.page.texts import duration

_NUM_KEPT = 20


@dataclass(frozen=True)
class Fault:
    """One warning or error of the log."""

    time_s: float
    "Since 1970."
    text: str

    @property
    def ago(self) -> str:
        """How long ago it was, such as "12 s"."""
        return duration(max(0.0, time() - self.time_s))


class RecentFaults(logging.Handler):
    """Keeps the last warnings that are logged during a `with` block, in memory that does not grow."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._faults: deque[Fault] = deque(maxlen=_NUM_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`."""
        self._faults.append(Fault(record.created, record.getMessage()))

    def newest_first(self) -> list[Fault]:
        """At most 20."""
        return list(self._faults)[::-1]

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
