"""What one stream logs: the first of several faults in a row, and where it resumes."""

import logging

from shared.errors import ForeignDataset, StreamingError

_LOG = logging.getLogger(__name__)


class StreamLog:
    """Warnings of one stream; name: of its requests, in the logs of both sides."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_failing = False
        self._foreign_replicas: set[str] = set()

    def failed(self, error: StreamingError, place: str) -> None:
        """Logs the first fault since the last success, and each replica of another data set once."""
        is_new = not self._is_failing
        if isinstance(error, ForeignDataset) and str(error) not in self._foreign_replicas:
            self._foreign_replicas.add(str(error))
            is_new = True
        if is_new:
            _LOG.warning("%s; will retry at %s (request %s)", error, place, self._name)
        self._is_failing = True

    def succeeded(self, step: int, target: str, call_number: int) -> None:
        """Logs the first step after faults, and which call to which replica returned it."""
        if self._is_failing:
            _LOG.warning("resumed at step %d from %s (request %s.%d)", step, target, self._name, call_number)
        self._is_failing = False
