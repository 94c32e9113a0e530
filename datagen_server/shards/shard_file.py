"""One open shard: where each record lies, and the record itself, checked.

Note: nothing here raises for damage. A record that is missing, cut off, unreadable or changed is returned as missing,
and the caller decides whether to render it again or to refuse it.
"""

import os
import weakref
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datagen_server.shards.lmdb_reader import Entry, Tree
from datagen_server.shards.manifest import PLAN_KEY, Plan, Shard
from datagen_server.shards.record import is_intact, layout_of, max_payload_bytes, record_key
from datagen_server.shards.shard_writer import key_of, unseal
from shared.errors import DataLoss
from shared.system.linux import expect_read, read_into

_MAX_PLAN_BYTES = 2**20
_MAX_OFFSET = 2**62
_FEW = 8


Identity = tuple[int, int, int, int]


class ShardFile:
    """A shard opened for reading; any number of threads may share it. It is closed when nothing refers to it any more.

    Keeps 12 bytes for each record, its place, so that a known place costs no look-up; where it may not keep them, each
    place costs three small reads. Raises `OSError` when there is no such file.
    """

    def __init__(self, path: Path, plan: Plan, shard: Shard, *, keep_places: bool = True) -> None:
        self.shard = shard
        self.num_places = shard.count if keep_places else 0
        "Of records, for which memory is held."
        self.fd = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.fd)
        self.identity = identity(os.fstat(self.fd))
        self._tree = open_tree(self.fd)
        self._codec = plan.codec
        self._key = record_key(plan.dataset.fingerprint, shard.split)
        self.header_bytes = layout_of(plan.dataset.spec).header_bytes
        self._max_bytes = self.header_bytes + max_payload_bytes(plan.dataset.spec)
        self._offsets = array("Q", bytes(8 * self.num_places))
        self._sizes = array("I", bytes(4 * self.num_places))
        self._num_learned = 0

    def place(self, index: int) -> tuple[int, int]:
        """Offset of the record of `index` in the file and the size of its payload; (0, 0) when it has none."""
        if not self.num_places:
            return next(((entry.offset, size) for entry, _, size in self._sane(self._find(index))), (0, 0))
        number = index - self.shard.first
        if not self._sizes[number]:
            self._learn(index)
        return self._offsets[number], self._sizes[number]

    def fetch(self, index: int, offset: int, header: memoryview, payload: memoryview, *, wait: bool = True) -> bool:
        """Reads the record at `offset` into `header` and `payload`; whether it is intact. If not they hold anything.

        wait: for the disk; False: only what is in memory is read.
        """
        try:
            num_read = read_into(self.fd, (header, payload), offset, wait=wait)
        except OSError:
            return False
        whole = num_read == self.header_bytes + len(payload)
        return whole and is_intact(self._key, index, self._codec, header, payload)

    def expect(self, offset: int, size: int) -> None:
        """Asks the disk for the record at `offset`, with a payload of `size` bytes, and does not wait for it."""
        expect_read(self.fd, offset, self.header_bytes + size)

    def record(self, index: int) -> bytes | None:
        """The whole record, or None when it is missing or damaged."""
        offset, size = self.place(index)
        record = bytearray(self.header_bytes + size)
        view = memoryview(record)
        whole = bool(size) and self.fetch(index, offset, view[: self.header_bytes], view[self.header_bytes :])
        return bytes(record) if whole else None

    def _learn(self, index: int) -> None:
        """Notes the place of this record; after the first few also those of its neighbours on the same page.

        A shard among so many that each is closed again after a look or two is not worth reading whole pages.
        """
        self._num_learned += 1
        entries = self._neighbours(index) if self._num_learned > _FEW else self._find(index)
        for entry, number, size in self._sane(entries):
            if not self._sizes[number]:
                self._offsets[number] = entry.offset
                self._sizes[number] = size

    def _sane(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, int, int]]:
        """The entries that may be records of this shard, with their number in it and the size of their payload."""
        for entry in entries:
            number = int.from_bytes(entry.key, "big") - self.shard.first
            is_sane = self.header_bytes < entry.size <= self._max_bytes and entry.offset < _MAX_OFFSET
            if is_sane and 0 <= number < self.shard.count:
                yield entry, number, entry.size - self.header_bytes

    def _find(self, index: int) -> Sequence[Entry]:
        try:
            entry = self._tree.find(key_of(index)) if self._tree else None
        except DataLoss:
            return ()
        return (entry,) if entry else ()

    def _neighbours(self, index: int) -> Sequence[Entry]:
        try:
            return self._tree.leaf(key_of(index)) if self._tree else ()
        except DataLoss:
            return ()


def identity(stat: os.stat_result) -> Identity:
    """Changes whenever a file is replaced, cut or written to: device, inode, size, time of change."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_ctime_ns


def open_tree(fd: int) -> Tree | None:
    """None when the file is too damaged to find anything in it."""
    try:
        return Tree(fd)
    except DataLoss:
        return None


def read_description(path: Path) -> dict[str, Any] | None:
    """What the shard at `path` says about itself (see `shard_writer.seal`); None when it cannot be read."""
    fd = os.open(path, os.O_RDONLY)
    try:
        tree = open_tree(fd)
        entry = tree.find(PLAN_KEY) if tree else None
        if entry is None or entry.size > _MAX_PLAN_BYTES or entry.offset >= _MAX_OFFSET:
            return None
        return unseal(os.pread(fd, entry.size, entry.offset))
    except (DataLoss, OSError):
        return None
    finally:
        os.close(fd)
