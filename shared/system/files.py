"""Files that are whole or not there, directories with one writer, and what a failing disk really says."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.errors import StreamingError, UsageError

PARTIAL_SUFFIX = ".partial"
_FULL_BELOW_BYTES = 4 * 2**20


def partial_path(path: Path) -> Path:
    """Where to write what shall become the file at `path`; another one in every process."""
    return path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")


def whole_name(partial_name: str) -> str:
    """The name that a file called `partial_name` would have got; see `partial_path`."""
    return partial_name.removeprefix(".").removesuffix(PARTIAL_SUFFIX).rpartition(".")[0]


def put_in_place(partial: Path, path: Path) -> None:
    """Gives what is at `partial` the name `path`, in one step that a power cut undoes as a whole or not at all."""
    sync(partial)
    os.replace(partial, path)
    sync(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Puts a file with `data` in place; raises `StreamingError`."""
    partial = partial_path(path)
    try:
        partial.write_bytes(data)
        put_in_place(partial, path)
    except OSError as error:
        raise write_failure(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Makes a file's content, or the names in a directory, last."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_failure(path: Path, error: Exception) -> StreamingError:
    """Why `path` could not be written. LMDB calls a full disk an input/output error, so the file system is asked."""
    with suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        if free < _FULL_BELOW_BYTES:
            return StreamingError(f"no space left for {path} ({free:,} bytes free); make room and run it again")
    return StreamingError(f"cannot write {path}: {str(error).rpartition(': ')[2]}")


def make_directory(directory: Path) -> None:
    """Makes `directory`, and those above it, where there is none; raises `UsageError`."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the directory {directory}: {error.strerror}") from error


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Holds `directory`, or raises `UsageError` at once when another process on this machine does.

    The kernel lets go of the lock when the process dies, however it dies.
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
