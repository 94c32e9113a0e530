"""One writer in a directory at a time, for as long as it lives: the kernel lets go of the lock when a process dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import UsageError


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Holds `directory`, or raises `UsageError` at once when another process on this machine does."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(f"cannot open the directory {directory}: {error.strerror}") from error
    try:
        _lock(fd, directory)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, directory: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"another process is writing shards in {directory}; wait for it to end") from error
