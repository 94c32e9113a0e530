"""Files that are read again whenever they have changed: certificates and tokens are renewed without a restart.

A change that cannot be used is logged, and what was read before stays in use until the files change again. That happens
when a new certificate is there before its key, or when a file is half-written.
"""

import logging
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from shared.errors import UsageError

_LOG = logging.getLogger(__name__)
_LARGEST_FILE_BYTES = 1 << 20
_T = TypeVar("_T")
_Stamp = tuple[int, int, int] | None


class WatchedFiles(Generic[_T]):
    """The newest usable content of `files`; safe to ask from many threads.

    read: turns the files into a value; raises `UsageError`, at the first reading also in the constructor.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], _T]) -> None:
        self._files, self._read = files, read
        self._lock = threading.Lock()
        # Before reading: what changes meanwhile is read again.
        self._stamps = self._look()
        self._value = read()

    def current(self) -> _T:
        """Costs one `stat` for each file while nothing has changed."""
        with self._lock:
            if (stamps := self._look()) != self._stamps:
                self._stamps = stamps
                self._renew()
            return self._value

    def _renew(self) -> None:
        names = ", ".join(map(str, self._files))
        try:
            self._value = self._read()
            _LOG.info("read again after a change: %s", names)
        except UsageError as error:
            _LOG.warning("%s; what was read before stays in use", error)

    def _look(self) -> list[_Stamp]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_small(file: Path, what: str) -> bytes:
    """The bytes of a file; raises `UsageError` when it cannot be read or is larger than 1 MiB.

    what: the kind of file, for messages.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the {what} file {file}: {(error.strerror or str(error)).lower()}") from error
    if len(data) > _LARGEST_FILE_BYTES:
        raise UsageError(f"the {what} file {file} must hold at most {_LARGEST_FILE_BYTES} bytes, got more")
    return data


def read_secret(file: Path, what: str) -> bytes:
    """`read_small`, with a warning in the log when every user of this machine can read the file."""
    data = read_small(file, what)
    if file.stat().st_mode & stat.S_IROTH:
        _LOG.warning("every user of this machine can read the %s file %s; close it: chmod 600 %s", what, file, file)
    return data
