"""Tar and zip files as trees. Nothing is ever unpacked under a name: members are read where they lie."""

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import IO, Any

from datagen_server.importing.sources.archive_names import is_hidden, not_there, problem_of, tidy, zip_name
from datagen_server.importing.sources.file_tree import Unread, pictures_and_others, printable, read_at_most, unreadable
from datagen_server.importing.sources.reasons import Reason
from shared.errors import UsageError
from shared.images.decode import MAX_FILE_BYTES, PictureError, one_line, too_many_bytes
from shared.system.atomic_file import write_error
from shared.system.open_files import check_handles

_COMPRESSIONS: Mapping[bytes, Callable[[Path], Any]] = MappingProxyType(
    {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ\x00": lzma.LZMAFile}
)
_BAD_TAR = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, IndexError, OverflowError)
_BAD_ZIP = (*_BAD_TAR, zipfile.BadZipFile, NotImplementedError, RuntimeError, KeyError)


class TarFile:
    """The regular files in a tar. A compressed one is decompressed once, into a file without a name in `scratch`."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.origin = str(path)
        self.unread: list[Unread] = []
        self._scratch = scratch
        self._file = _uncompressed(path, scratch)
        self._places: dict[str, tuple[int, int]] = {}
        try:
            self._list()
        except _BAD_TAR as error:
            if not self._places:
                self._file.close()
                raise UsageError(f"{path} is not a tar archive: {one_line(error)}") from error
            detail = f"the archive is cut off after {len(self._places):,} files: {one_line(error)}"
            self.unread.append(Unread(".", Reason.DAMAGED_SOURCE, detail))
        self.pictures, self.others = pictures_and_others(self._places)

    def has(self, name: str) -> bool:
        """See `FileTree`."""
        return name in self._places

    def read(self, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """See `FileTree`."""
        offset, size = self._place(name)
        if size > max_bytes:
            raise too_many_bytes()
        try:
            data = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise unreadable(error) from error
        if len(data) < size:
            raise unreadable(EOFError("the archive ends within it"))
        return data

    def path_of(self, _: str) -> None:
        """See `FileTree`."""

    def open(self, name: str) -> int:
        """See `FileTree`."""
        offset, size = self._place(name)
        self._file.seek(offset)
        return _copied(self._file, size, self._scratch)

    def close(self) -> None:
        """See `FileTree`."""
        self._file.close()

    def _place(self, name: str) -> tuple[int, int]:
        if name not in self._places:
            raise not_there()
        return self._places[name]

    def _list(self) -> None:
        with tarfile.open(fileobj=self._file, mode="r:") as archive:
            for member in archive:
                name = tidy(member.name)
                if member.isdir() or is_hidden(name):
                    continue
                if problem := problem_of(name) or _tar_problem(member):
                    self.unread.append(problem)
                else:
                    self._places[name] = (member.offset_data, member.size)


class ZipFile:
    """The files in a zip."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.origin = str(path)
        self._scratch = scratch
        try:
            self._archive = zipfile.ZipFile(path)
        except _BAD_ZIP as error:
            raise UsageError(f"{path} is not a zip archive: {one_line(error)}") from error
        self.unread: list[Unread] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._archive.infolist():
            name = tidy(zip_name(member))
            if member.filename.endswith("/") or is_hidden(name):
                continue
            if problem := problem_of(name):
                self.unread.append(problem)
            else:
                self._members[name] = member
        self.pictures, self.others = pictures_and_others(self._members)

    def has(self, name: str) -> bool:
        """See `FileTree`."""
        return name in self._members

    def read(self, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """See `FileTree`."""
        if name not in self._members:
            raise not_there()
        member = self._members[name]
        try:
            if member.file_size > max_bytes:
                raise too_many_bytes()
            with self._archive.open(member) as file:
                return read_at_most(file.read, member.file_size, max_bytes)
        except PictureError:
            raise
        except _BAD_ZIP as error:
            raise unreadable(error) from error

    def path_of(self, _: str) -> None:
        """See `FileTree`."""

    def open(self, name: str) -> int:
        """See `FileTree`."""
        try:
            with self._archive.open(self._members[name]) as file:
                return _copied(file, self._members[name].file_size, self._scratch)
        except _BAD_ZIP as error:
            raise unreadable(error) from error

    def close(self) -> None:
        """See `FileTree`."""
        self._archive.close()


def is_archive(path: Path) -> bool:
    """Whether the file is a zip or a tar, compressed or not, by its content."""
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except _BAD_TAR:
        return False


def open_archive(path: Path, scratch: Path) -> "TarFile | ZipFile":
    """The archive as a `FileTree`, which keeps one file open; scratch: a directory for files without a name.

    Raises `UsageError`, and `Unavailable` when too many files are open.
    """
    try:
        return ZipFile(path, scratch) if _is_zip(path) else TarFile(path, scratch)
    except OSError as error:
        check_handles(error)
        raise UsageError(f"cannot open {path}: {error.strerror or one_line(error)}") from error


def _is_zip(path: Path) -> bool:
    """By its content, or else its name: a zip that is cut off has lost the place that makes it one."""
    return zipfile.is_zipfile(path) or (path.name.lower().endswith(".zip") and not tarfile.is_tarfile(path))


def _uncompressed(path: Path, scratch: Path) -> IO[bytes]:
    file = open(path, "rb")  # noqa: SIM115 - the caller's.
    head = file.read(8)
    opener = next((opener for magic, opener in _COMPRESSIONS.items() if head.startswith(magic)), None)
    if opener is None:
        file.seek(0)
        return file
    file.close()
    plain = TemporaryFile(dir=scratch)  # noqa: SIM115 - the caller's.
    try:
        with opener(path) as packed:
            _copy_what_can_be_read(packed, plain, scratch)
    except BaseException:
        plain.close()
        raise
    plain.seek(0)
    return plain


def _copy_what_can_be_read(packed: IO[bytes], plain: IO[bytes], scratch: Path) -> None:
    """A stream that breaks off leaves the members before; the tar itself then tells that it is cut off."""
    while True:
        try:
            part = packed.read(2**20)
        except _BAD_TAR:
            return
        if not part:
            return
        try:
            plain.write(part)
            plain.flush()
        except OSError as error:
            raise write_error(scratch / "archive", error) from error


def _copied(file: IO[bytes], size: int, scratch: Path) -> int:
    """A handle of a file without a name that holds the next `size` bytes of `file`."""
    with TemporaryFile(dir=scratch) as copy:
        left = size
        while left and (part := file.read(min(left, 2**20))):
            try:
                copy.write(part)
            except OSError as error:
                raise write_error(scratch / "archive", error) from error
            left -= len(part)
        copy.flush()
        return os.dup(copy.fileno())


def _tar_problem(member: tarfile.TarInfo) -> Unread | None:
    if member.isreg() and not member.issparse():
        return None
    return Unread(printable(member.name), Reason.UNREADABLE_FILE, "is a link or no regular file in the archive")
