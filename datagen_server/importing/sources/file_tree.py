"""A tree of files that is only read: a folder here, an archive in `archives`. All have the same paths: a/b/c.png."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from datagen_server.importing.sources.reasons import Reason
from shared.images.decode import MAX_FILE_BYTES, PictureError, PictureProblem, one_line, too_many_bytes
from shared.system.open_files import check_handles

_DECODED_SUFFIXES = ".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif"
_OTHER_SUFFIXES = ".tif", ".tiff", ".heic", ".avif", ".ppm", ".pgm", ".jp2", ".svg"
_PICTURE_SUFFIXES = (*_DECODED_SUFFIXES, *_OTHER_SUFFIXES)


@dataclass(frozen=True)
class Unread:
    """Something in a tree that gives no file."""

    name: str
    reason: Reason
    detail: str


class FileTree(Protocol):
    """Regular files by path. Hidden files and folders (.name) are no part of it. To be used by one thread."""

    @property
    def origin(self) -> str:
        """What the user named."""
        ...

    @property
    def pictures(self) -> Sequence[str]:
        """The paths of all files that are called like pictures, of a format that can be decoded or of another.

        Sorted, with / between folders, none beginning with / or leaving the tree.
        """
        ...

    @property
    def others(self) -> Sequence[str]:
        """Those of all other files."""
        ...

    @property
    def unread(self) -> Sequence[Unread]:
        """What could not be listed."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        ...

    def read(self, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """All of a file; raises `PictureError`."""
        ...

    def path_of(self, name: str) -> str | None:
        """Where any process on this machine can read the file by itself; None: only this object can."""
        ...

    def open(self, name: str) -> int:
        """A file handle, the caller's to close, from which that file alone can be read; raises `PictureError`."""
        ...

    def close(self) -> None:
        """Lets go of the archive."""
        ...


class Folder:
    """The files below a directory. Links are followed, each directory once.

    only: the one file that it lists; others can be read, if one knows their names.
    """

    def __init__(self, root: Path, only: str | None = None) -> None:
        self._root, self._only = root, only
        self.origin = str(root)

    @property
    def pictures(self) -> Sequence[str]:
        """See `FileTree`."""
        return self._listed[0]

    @property
    def others(self) -> Sequence[str]:
        """See `FileTree`."""
        return self._listed[1]

    @property
    def unread(self) -> Sequence[Unread]:
        """See `FileTree`."""
        return self._listed[2]

    def has(self, name: str) -> bool:
        """See `FileTree`; does not list the folder."""
        try:
            return os.path.isfile(self._root / name)
        except ValueError:  # A NUL in it.
            return False

    def read(self, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """See `FileTree`."""
        return read_file(self.path_of(name), max_bytes)

    def path_of(self, name: str) -> str:
        """See `FileTree`."""
        return f"{self.origin}/{name}"

    def open(self, name: str) -> int:
        """See `FileTree`."""
        return _open(self.path_of(name))

    def close(self) -> None:
        """See `FileTree`."""

    @cached_property
    def _listed(self) -> tuple[Sequence[str], Sequence[str], Sequence[Unread]]:
        if self._only is not None:
            return *pictures_and_others([self._only]), []
        files: list[str] = []
        unread: list[Unread] = []
        folders, seen = [""], set[tuple[int, int]]()
        while folders:
            folder = folders.pop()
            try:
                facts = os.stat(self._root / folder)
                if (facts.st_dev, facts.st_ino) in seen:
                    detail = "is a link to a folder that was read already"
                    unread.append(Unread(folder, Reason.UNREADABLE_FOLDER, detail))
                    continue
                with os.scandir(self._root / folder) as entries:
                    within = sorted(_sort_in(entries, f"{folder}/" if folder else "", files, unread), reverse=True)
            except OSError as error:
                unread.append(Unread(folder or ".", Reason.UNREADABLE_FOLDER, str(error.strerror)))
                continue
            seen.add((facts.st_dev, facts.st_ino))
            folders += within
        return *pictures_and_others(files), sorted(unread, key=lambda one: one.name)


def read_file(path: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """All of a file; raises `PictureError`."""
    fd = _open(path)
    try:
        return read_at_most(partial(os.read, fd), os.fstat(fd).st_size, max_bytes)
    except OSError as error:
        raise unreadable(error) from error
    finally:
        os.close(fd)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error


def read_at_most(read: "Reader", size: int, max_bytes: int) -> bytes:
    """What `read` gives until its end; raises `PictureError` when `size`, or what comes, is more than `max_bytes`.

    size: how many bytes it says it has. Where it gives just these, though asked for one more, it is not asked again.
    """
    if size > max_bytes:
        raise too_many_bytes()
    parts = [read(size + 1) or b""]
    if len(parts[0]) == size:
        return parts[0]
    total = len(parts[0])
    while parts[-1] and total <= max_bytes:
        parts.append(read(2**16) or b"")
        total += len(parts[-1])
    if total > max_bytes:
        raise too_many_bytes()
    return b"".join(parts)


class Reader(Protocol):
    """`read` of a binary file."""

    def __call__(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""
        ...


def unreadable(error: Exception) -> PictureError:
    """The error for a file that is there and cannot be read; raises `Unavailable` when that is no fault of the file."""
    if isinstance(error, OSError):
        check_handles(error)
    text = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
    return PictureError(PictureProblem.UNREADABLE_FILE, f"cannot be read: {text}")


def pictures_and_others(files: Iterable[str]) -> tuple[Sequence[str], Sequence[str]]:
    """`pictures` and `others` of a tree with these files."""
    pictures: list[str] = []
    others: list[str] = []
    for name in files:
        (pictures if name.lower().endswith(_PICTURE_SUFFIXES) else others).append(name)
    return sorted(pictures), sorted(others)


def is_inside(name: str) -> bool:
    """Whether a path, as an archive or a label file tells it, stays below where it begins."""
    return not name.startswith("/") and ":" not in name[:3] and ".." not in name.split("/") and "\0" not in name


def printable(name: str) -> str:
    """The name as it can be printed and stored, whatever bytes it is made of."""
    return name if name.isprintable() else ascii(name)[1:-1]


def _sort_in(
    entries: "Iterable[os.DirEntry[str]]", prefix: str, files: list[str], unread: list[Unread]
) -> Iterator[str]:
    """Appends what is in one folder; yields its folders."""
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = prefix + entry.name
        try:
            name.encode()
        except UnicodeEncodeError:
            unread.append(Unread(printable(name), Reason.NOT_TEXT, "its name is not UTF-8; rename it"))
            continue
        try:
            if entry.is_file():
                files.append(name)
            elif entry.is_dir():
                yield name
            else:
                unread.append(Unread(name, Reason.UNREADABLE_FILE, "is no file, or a link that leads nowhere"))
        except OSError as error:
            unread.append(Unread(name, Reason.UNREADABLE_FILE, str(error.strerror)))
