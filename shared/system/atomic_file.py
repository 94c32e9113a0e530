"""Atomic writes: a file appears under its name complete, or not at all.

    .train-00000-of-00007.lmdb.4711-9f3a2c01.partial -> write -> fsync -> rename to train-00000-of-00007.lmdb

The partial file lies in the same folder, since a rename is atomic only within one file system. Its name holds the
process number and a random part, because processes on several hosts may write to one shared folder.

A process that is killed leaves its partial file behind; `remove_partial_files` is for the folder's next owner.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.errors import StreamingError

_PARTIAL = re.compile(r"\.(?P<final>.+)\.[0-9a-f-]+\.partial(\.\w+)?")
_FULL_BELOW_BYTES = 4 * 2**20
# What some network file systems answer to fsync of a directory.
_NO_DIRECTORY_SYNC = errno.EINVAL, errno.ENOTSUP


def partial_path(path: Path, *, keep_suffix: bool = False) -> Path:
    """Where to write what will become the file at `path`; each call returns another path in the same folder.

    keep_suffix: whether the partial file ends with the suffix of `path`, for libraries that otherwise add one.
    """
    unique = f"{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{unique}.partial{path.suffix if keep_suffix else ''}")


def commit(partial: Path, path: Path) -> None:
    """Renames `partial` to `path` so that after a power cut the file is complete, or what was there before."""
    sync(partial)
    os.replace(partial, path)
    sync(path.parent)


@contextmanager
def atomic_path(path: Path, *, keep_suffix: bool = False) -> Iterator[Path]:
    """A path to write a file or directory to; it becomes `path` at the end of the block, or is removed on an error.

    Raises `OSError` where `path` is a device or a pipe, which a rename would replace. A link is followed.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file", str(path))
    partial = partial_path(path, keep_suffix=keep_suffix)
    try:
        yield partial
        commit(partial, path)
    finally:
        _remove(partial)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replaces the file at `path` by one with `data` (text as UTF-8); raises `OSError`."""
    with atomic_path(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)


def remove_partial_files(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Removes what killed processes left of the files whose final name `is_ours` accepts.

    Only for the one writer of `folder`: it would remove another writer's unfinished file too.
    """
    for name in os.listdir(folder):
        match = _PARTIAL.fullmatch(name)
        if match and is_ours(match["final"]):
            _remove(folder / name)


def sync(path: Path) -> None:
    """Makes the content of a file, or the names in a directory, survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC or not path.is_dir():
            raise
    finally:
        os.close(fd)


def write_error(path: Path, error: Exception) -> StreamingError:
    """Why `path` could not be written. LMDB calls a full disk an input/output error, so the file system is asked."""
    if is_disk_full(path.parent):
        free = shutil.disk_usage(path.parent).free
        return StreamingError(f"no space left for {path} ({free:,} bytes free); make room and run it again")
    return StreamingError(f"cannot write {path}: {str(error).rpartition(': ')[2]}")


def is_disk_full(folder: Path) -> bool:
    """Whether the file system of `folder` has no room for more than a few small files."""
    with suppress(OSError):
        usage = shutil.disk_usage(folder)
        return usage.total > 0 and usage.free < _FULL_BELOW_BYTES  # /proc and its like have no room at all.
    return False


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Names `path` where something in the block could not be written: raises `write_error` for an `OSError`."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
