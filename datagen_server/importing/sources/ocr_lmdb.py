"""OCR LMDBs, as deep-text-recognition-benchmark and MindOCR have them: image-000000001, label-000000001, num-samples.

Note: `num-samples` is often wrong, so it is compared with the keys that are there and never trusted.
"""

import os
import re
import struct
from collections.abc import Iterator, Sequence
from posixpath import splitext

from datagen_server.importing.sources.file_tree import FileTree, printable
from datagen_server.importing.sources.picture_source import PictureEntry
from datagen_server.importing.sources.reasons import Reason
from datagen_server.importing.sources.split_names import split_of
from datagen_server.importing.sources.text_encoding import decode_text
from datagen_server.shards.lmdb_reader import Entry, Tree
from shared.errors import DataLoss, UsageError
from shared.images.decode import MAX_FILE_BYTES, PictureError, PictureProblem, too_many_bytes

DATA_SUFFIXES = (".mdb", ".lmdb")
_LOCK_NAME = "lock.mdb"
_HEAD_BYTES = 32
_MAGIC_AND_VERSION = struct.Struct("<II")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_PLACES_OF_MAGIC = (16, 24)
"In LMDB 0.9, and in LMDB 1.0."
_KEY = re.compile(rb"(image|label)-(\d{1,18})")
_NUM_SAMPLES = b"num-samples"
_MAX_LABEL_BYTES = 4096


class OcrLmdbs:
    """The samples in all LMDB files of a tree; raises `UsageError` for a file that is none."""

    kind = "ocr-lmdb"

    def __init__(
        self, tree: FileTree, default_split: str | None, data_files: Sequence[str], encoding: str | None = None
    ) -> None:
        self.origin = tree.origin
        self._tree, self._default_split, self._encoding = tree, default_split, encoding
        self._files: dict[str, _LmdbFile] = {}
        self.notes: list[str] = []
        try:
            for name in data_files:
                self._files[name] = _LmdbFile(tree, name)
        except BaseException:
            self.close()
            raise

    def entries(self) -> Iterator[PictureEntry]:
        """See `PictureSource`."""
        self.notes = []
        for one in self._tree.unread:
            yield PictureEntry(one.name, reason=one.reason, detail=one.detail)
        for name, file in self._files.items():
            split = split_of(splitext(name)[0]) or self._default_split
            yield from self._entries_of(name, file, split)

    def read(self, name: str) -> bytes:
        """See `PictureSource`."""
        data_file, _, key = name.rpartition("#")
        try:
            return self._files[data_file].value(key.encode())
        except KeyError as error:
            raise PictureError(PictureProblem.UNREADABLE_FILE, "cannot be read: it is not there") from error

    def path_of(self, _: str) -> None:
        """See `PictureSource`."""

    def close(self) -> None:
        """See `PictureSource`."""
        for file in self._files.values():
            file.close()
        self._tree.close()

    def _entries_of(self, name: str, file: "_LmdbFile", split: str | None) -> Iterator[PictureEntry]:
        images, labels, num_damaged = file.samples()
        for number in sorted(images.keys() | labels.keys()):
            key = images.get(number)
            where = f"{name}#{key.decode()}" if key else f"{name}#label {number}"
            if key is None:
                yield PictureEntry(where, split, reason=Reason.MISSING_PICTURE, detail="there is only its label")
            elif number not in labels:
                yield PictureEntry(where, split, reason=Reason.NO_LABEL, detail="there is no label of that number")
            else:
                yield self._labelled(where, split, file, labels[number])
        if num_damaged:
            detail = f"{num_damaged:,} pages of the file are damaged; what they held is lost"
            yield PictureEntry(name, split, reason=Reason.DAMAGED_SOURCE, detail=detail)
        self.notes.append(f"{printable(name)}: {len(images):,} pictures; {file.count_note(len(images))}")

    def _labelled(self, where: str, split: str | None, file: "_LmdbFile", label: Entry) -> PictureEntry:
        if label.size > _MAX_LABEL_BYTES:
            detail = f"its label has {label.size:,} bytes"
            return PictureEntry(where, split, reason=Reason.TOO_LONG, detail=detail)
        try:
            text, _ = decode_text(file.read(label), where, self._encoding)
        except (PictureError, UsageError) as error:
            return PictureEntry(where, split, reason=Reason.NOT_TEXT, detail=str(error))
        return PictureEntry(where, split, text)


def find_data_files(tree: FileTree) -> list[str]:
    """The LMDB files in `tree`, by name."""
    names = [name for name in tree.others if name.lower().endswith(DATA_SUFFIXES)]
    return [name for name in names if name.rpartition("/")[2] != _LOCK_NAME]


def is_lmdb(head: bytes) -> bool:
    """Whether a file that begins so is an LMDB file, of whatever version."""
    return _version_of(head) is not None


def _version_of(head: bytes) -> int | None:
    for place in _PLACES_OF_MAGIC:
        if len(head) >= place + _MAGIC_AND_VERSION.size:
            magic, version = _MAGIC_AND_VERSION.unpack_from(head, place)
            if magic == _MAGIC:
                return int(version)
    return None


class _LmdbFile:
    def __init__(self, tree: FileTree, name: str) -> None:
        shown = f"{tree.origin}/{name}"
        try:
            self._fd = tree.open(name)
        except PictureError as error:
            raise UsageError(f"{shown} {error}") from error
        try:
            self._tree = Tree(self._fd)
        except DataLoss as error:
            problem = f"{shown} {_why_not(self._fd)}"
            os.close(self._fd)
            raise UsageError(problem) from error

    def samples(self) -> tuple[dict[int, bytes], dict[int, Entry], int]:
        """The key of each image and the place of each label by number, and how many pages are damaged."""
        images: dict[int, bytes] = {}
        labels: dict[int, Entry] = {}
        walk = self._tree.walk()
        for entry in walk.entries():
            if found := _KEY.fullmatch(entry.key):
                number = int(found[2])
                if found[1] == b"image":
                    images[number] = entry.key
                else:
                    labels[number] = entry
        return images, labels, walk.num_damaged

    def count_note(self, num_pictures: int) -> str:
        """What num-samples says, in words."""
        try:
            text = self.value(_NUM_SAMPLES).decode("ascii").strip()
        except (PictureError, UnicodeDecodeError):
            return "num-samples is absent"
        if text == str(num_pictures):
            return "num-samples says the same"
        return f"num-samples says {text[:20]!r}, which is wrong"

    def value(self, key: bytes) -> bytes:
        """Raises `PictureError`."""
        try:
            entry = self._tree.find(key)
        except DataLoss as error:
            raise PictureError(PictureProblem.UNREADABLE_FILE, f"cannot be read: {error}") from error
        if entry is None:
            raise PictureError(PictureProblem.UNREADABLE_FILE, "cannot be read: it is not in the LMDB")
        return self.read(entry)

    def read(self, entry: Entry) -> bytes:
        """The bytes at a place; raises `PictureError`."""
        if entry.size > MAX_FILE_BYTES:
            raise too_many_bytes()
        try:
            value = os.pread(self._fd, entry.size, entry.offset)
        except OSError as error:
            raise PictureError(PictureProblem.UNREADABLE_FILE, f"cannot be read: {error.strerror}") from error
        if len(value) < entry.size:
            raise PictureError(PictureProblem.UNREADABLE_FILE, "cannot be read: the LMDB file ends within it")
        return value

    def close(self) -> None:
        os.close(self._fd)


def _why_not(fd: int) -> str:
    version = _version_of(os.pread(fd, _HEAD_BYTES, 0))
    if version is None:
        return "is not an LMDB file, or its first pages are damaged"
    if version != _VERSION:
        remedy = "copy it with the mdb_dump of the program that made it and the mdb_load of LMDB 0.9"
        return f"is an LMDB file of format version {version}, this reads version {_VERSION}; {remedy}"
    return "is an LMDB file whose first pages are damaged"
