"""Standard error that never ends a job: what cannot be written there, to a full disk or a closed pipe, is dropped.

Only progress and messages go there. Results go to standard output, where an error still counts.
"""

import io
import os
import sys
from contextlib import suppress


class LossyStream(io.TextIOWrapper):
    """A text stream that drops what it cannot write."""

    def write(self, text: str, /) -> int:
        """The number of characters of `text`, written or not."""
        with suppress(OSError, ValueError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Writes what is held back, or drops it."""
        with suppress(OSError, ValueError):
            super().flush()


def protect_stderr() -> None:
    """Makes `sys.stderr` a `LossyStream`, and opens the standard streams that are closed, on the null device.

    A file opened later could have the number of a closed one, and C libraries would write their messages into it.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # The lowest free number, so it is this one.
            os.set_inheritable(opened, True)
    stream = sys.stderr
    if stream is None:
        sys.stderr = LossyStream(io.FileIO(2, "w", closefd=False), errors="backslashreplace", line_buffering=True)
    elif type(stream) is io.TextIOWrapper:  # Not one of its kind, which somebody else has put there.
        encoding, errors = stream.encoding, stream.errors
        sys.stderr = LossyStream(stream.detach(), encoding, errors, line_buffering=True)
