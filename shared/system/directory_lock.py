"""Output directories: make one, and lock it so that it has one writer at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import UsageError


def make_directory(directory: Path) -> None:
    """Makes `directory`, and those above it, where there is none; raises `UsageError`."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the directory {directory}: {error.strerror}") from error


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Locks `directory` for the block; raises `UsageError` at once when another process on this machine has locked it.

    The kernel releases the lock when the process ends, also when it is killed.
    """
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
        raise UsageError(f"another process is at work in {directory}; wait for it to end") from error
