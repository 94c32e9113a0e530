"""What an import knows of picture files, in a hidden folder of its own, so that it may be killed at any moment.

    DIR/.import/pixels     the encoded pixels of the pictures that are small enough
    DIR/.import/pictures   a line that says what they were made for; then, for each chunk of files looked at, a block:
                           a head with a checksum, a row for each file, and the texts of problems as JSON

Both files only grow; workers on this machine append to the first by themselves. What was learned of a file is found
again by the digest of its bytes: whatever a person changes between two runs is looked at again, and nothing else. A
block, or pixels, that a kill or a power cut took is looked at again too.
"""

import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from datagen_server.importing.picture_chunk import Examined
from datagen_server.importing.picture_rows import PICTURE, Rows, digest_at
from shared.system.atomic_file import write_error

SCRATCH_NAME = ".import"
_PIXELS_NAME, _PICTURES_NAME = "pixels", "pictures"
_FORMAT = 2
_FRONT = struct.Struct("<Q")
_HEAD = struct.Struct("<II")


@dataclass(frozen=True)
class _Block:
    """What was learned of one chunk of files."""

    rows: Rows
    details: Mapping[int, str]
    "What a person should know of a problem, by row."

    def to_bytes(self) -> bytes:
        texts = json.dumps(list(self.details.items())).encode()
        body = _HEAD.pack(len(self.rows), len(texts)) + self.rows.tobytes() + texts
        return _FRONT.pack(xxhash.xxh3_64_intdigest(body)) + body

    @classmethod
    def read(cls, data: memoryview, place: int) -> tuple[Self, int] | None:
        """The block that begins at `place` and where it ends; None when it is cut off or damaged."""
        start = place + _FRONT.size
        if len(data) < start + _HEAD.size:
            return None
        num_rows, num_text_bytes = _HEAD.unpack_from(data, start)
        texts_at = start + _HEAD.size + num_rows * PICTURE.itemsize
        end = texts_at + num_text_bytes
        if end > len(data) or _FRONT.unpack_from(data, place) != (xxhash.xxh3_64_intdigest(data[start:end]),):
            return None
        rows = np.frombuffer(data, PICTURE, num_rows, start + _HEAD.size)
        return cls(rows, dict(json.loads(bytes(data[texts_at:end])))), end


class Scratch:
    """Opened in `directory`; what was kept of an import with other `facts` is thrown away. To be used by one thread.

    facts: all that decides what is learned of a file, ready for JSON.
    """

    def __init__(self, directory: Path, facts: object) -> None:
        self.folder = directory / SCRATCH_NAME
        self._rows: list[Rows] = []
        self._details: dict[bytes, str] = {}
        self._known: set[bytes] = set()  # Of an earlier run.
        made_for = json.dumps([_FORMAT, facts]).encode() + b"\n"
        with self._telling():
            self.folder.mkdir(exist_ok=True)
            self._pixels, self._pictures = (
                os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o644) for name in (_PIXELS_NAME, _PICTURES_NAME)
            )
            self._end = os.fstat(self._pixels).st_size
            self._place = self._recall(made_for)
            if not self._place:
                # Not when it is empty: a file that was cut to nothing ext4 writes to the disk when it is closed.
                if self._end:
                    os.ftruncate(self._pixels, 0)
                self._end = 0
                self._place = _write(self._pictures, made_for, 0)
            os.ftruncate(self._pictures, self._place)

    @property
    def is_new(self) -> bool:
        """Whether nothing is kept of an earlier run."""
        return not self._known

    def knows(self, file: bytes) -> bool:
        """Whether a file with that digest was looked at in an earlier run, and its pixels are there as they were."""
        return file in self._known

    def pixels(self, offset: int, size: int, checksum: int) -> bytes | None:
        """The encoded pixels that a row tells of; None when they are not there as they were."""
        return read_pixels(self._pixels, offset, size, checksum)

    def learn(self, found: Examined) -> None:
        """Keeps what is in files."""
        rows = found.rows
        with self._telling():
            if found.payloads is not None:
                rows = rows.copy()
                rows["offset"] += np.uint64(self._end)
                self._end = _write(self._pixels, found.payloads.data, self._end)
            block = _Block(rows, found.details)
            self._place = _write(self._pictures, block.to_bytes(), self._place)
        self._remember(block)

    def pictures_of(self, files: NDArray[np.bytes_]) -> Rows:
        """[n] what is in the files with digests [n], all known; where one was learned twice, the later."""
        rows: Rows = np.concatenate(self._rows) if self._rows else np.zeros(0, PICTURE)
        if np.array_equal(rows["file"], files):  # All were looked at in this run, in their order.
            return rows
        order = np.argsort(rows["file"], kind="stable")
        places = np.searchsorted(rows["file"][order], files, side="right") - 1
        found: Rows = rows[order[places]]
        return found

    def detail_of(self, file: bytes) -> str:
        """What a person should know of the problem that a file has."""
        return self._details[file]

    @property
    def pixels_path(self) -> Path:
        """The file of pixels, for other processes: for `read_pixels`, and to append to."""
        return self.folder / _PIXELS_NAME

    def close(self) -> None:
        """Lets go of the files."""
        os.close(self._pixels)
        os.close(self._pictures)

    def remove(self) -> None:
        """Takes everything away; to be called after `close`."""
        shutil.rmtree(self.folder)

    def _remember(self, block: _Block) -> None:
        self._rows.append(block.rows)
        for number, detail in block.details.items():
            self._details[digest_at(block.rows["file"], number)] = detail

    def _recall(self, made_for: bytes) -> int:
        """Remembers what an earlier run has learned; returns where its whole blocks end, 0 if they are of no use."""
        size = os.fstat(self._pictures).st_size
        data = memoryview(os.pread(self._pictures, size, 0))
        if bytes(data[: len(made_for)]) != made_for:
            return 0
        place = len(made_for)
        while (read := _Block.read(data, place)) is not None:
            block, place = read
            self._remember(block)
            places = (block.rows[name].tolist() for name in ("offset", "size", "checksum"))
            for number, (offset, size, checksum) in enumerate(zip(*places, strict=True)):
                if not size or self.pixels(offset, size, checksum) is not None:
                    self._known.add(digest_at(block.rows["file"], number))
        return place

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(self.folder, error) from error


def read_pixels(file: int, offset: int, size: int, checksum: int) -> bytes | None:
    """Encoded pixels in the file of pixels; None when they are not there as they were."""
    data = os.pread(file, size, offset)
    return data if xxhash.xxh3_64_intdigest(data) == checksum else None


def _write(file: int, data: bytes | memoryview, place: int) -> int:
    """Writes all of `data` at `place`; returns where it ends."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, place)
        place, view = place + written, view[written:]
    return place
