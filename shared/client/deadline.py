"""A deadline for each message of a streaming call, which gRPC does not have: its own deadline is for the whole call."""

import time
from collections.abc import Iterator
from typing import Protocol


class CancellableCall(Protocol):
    """The part of `grpc.CallIterator` that is needed here."""

    def __iter__(self) -> Iterator[bytes]:
        """The messages."""

    def cancel(self) -> object:
        """Ends the iteration with an error."""


class TimedCall:
    """Iterates over the messages of `call`. Another thread checks the deadline, since this one waits for data."""

    def __init__(self, call: CancellableCall, timeout_s: float) -> None:
        self._call = call
        self.timeout_s = timeout_s
        "For one message; the time in which the reader does not wait for one does not count."
        self.is_expired = False
        "Whether `check` has cancelled it."
        self._waits_since: float | None = None

    def __iter__(self) -> Iterator[bytes]:
        messages = iter(self._call)
        while True:
            self._waits_since = time.monotonic()
            try:
                message = next(messages, None)
            finally:
                self._waits_since = None
            if message is None:
                return
            yield message

    def check(self) -> None:
        """Cancels the call when its reader has waited for more than `timeout_s`."""
        since = self._waits_since
        if since is not None and time.monotonic() - since > self.timeout_s:
            self._waits_since, self.is_expired = None, True
            self.cancel()

    def cancel(self) -> None:
        """Ends the iteration with an error. Safe to call from any thread and from a signal handler."""
        self._call.cancel()
