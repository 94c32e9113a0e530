"""Output directories: make one, check that it can be written to, and lock it so that it has one writer at a time."""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.errors import UsageError
from shared.system.open_files import check_handles

_LOG = logging.getLogger(__name__)
_NO_LOCKS = errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EBADF
"What file systems without locks answer; EBADF: NFS locks only files that are open for writing."


def make_directory(directory: Path) -> None:
    """Makes `directory`, and those above it, where there is none; raises `UsageError`."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the directory {directory}: {error.strerror}") from error


def check_writable(path: Path) -> None:
    """Raises `UsageError` when `path`, a file or directory that may not be there yet, cannot be written."""
    place = path
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    mode = os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)
    if not os.access(place, mode):
        raise UsageError(f"cannot write {path}: no permission to write {place}; change that, or name another place")
    if place != path and not place.is_dir():
        raise UsageError(f"cannot write {path}: {place} is not a directory; name another place")


@contextmanager
def lock_directory(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Locks `directory` for the block; raises `UsageError` at once when another process on this machine has locked it.

    wait: wait for the other process instead. The kernel releases the lock when the process ends, also when it is
    killed. On a file system without locks a warning is logged, and the block runs.
    """
    fd = _open(directory)
    try:
        _lock(fd, directory, wait=wait)
        yield
    finally:
        os.close(fd)


@contextmanager
def made_and_locked(directory: Path) -> Iterator[None]:
    """Makes `directory` where there is none, and locks it for the block; raises `UsageError` as `lock_directory` does.

    Directories that it made and that are still empty at the end of the block are removed again.
    """
    check_writable(directory)
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    fd = _make_and_open(directory)
    try:
        yield
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        os.close(fd)


def _make_and_open(directory: Path) -> int:
    """A locked file descriptor of the directory that is there at the end of the call."""
    while True:
        make_directory(directory)
        fd = _open(directory)
        try:
            _lock(fd, directory)
            if directory.exists() and os.path.samestat(os.fstat(fd), os.stat(directory)):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # Its last owner has removed it meanwhile.


def _open(directory: Path) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        check_handles(error)
        raise UsageError(f"cannot open the directory {directory}: {error.strerror}") from error


def _lock(fd: int, directory: Path, *, wait: bool = False) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise UsageError(f"another process is at work in {directory}; wait for it to end") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise UsageError(f"cannot lock the directory {directory}: {error.strerror}") from error
        _LOG.warning(
            "the file system of %s has no locks (%s): make sure that no other process writes there",
            directory,
            error.strerror,
        )
