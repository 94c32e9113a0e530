"""One open shard: where each record lies, and the record itself, checked.

Note: nothing here raises for damage. A record that is missing, cut off, unreadable or changed is returned as missing,
and the caller decides whether to render it again or to refuse it.
"""

import os
import weakref
from array import array
from collections.abc import Sequence
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

    Keeps 12 bytes for each record whose place it has learned, so that a known place costs no look-up.
    Raises `OSError` when there is no such file.
    """

    def __init__(self, path: Path, plan: Plan, shard: Shard) -> None:
        self.shard = shard
        self.fd = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.fd)
        self.identity = identity(os.fstat(self.fd))
        self._tree = open_tree(self.fd)
        self._codec = plan.codec
        self._key = record_key(plan.dataset.fingerprint, shard.split)
        self.header_bytes = layout_of(plan.dataset.spec).header_bytes
        self._max_bytes = self.header_bytes + max_payload_bytes(plan.dataset.spec)
        self._offsets = array("Q", bytes(8 * shard.count))
        self._sizes = array("I", bytes(4 * shard.count))
        self._num_learned = 0

    def place(self, index: int) -> tuple[int, int]:
        """Offset of the record of `index` in the file and the size of its payload; (0, 0) when it has none."""
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
        for key, offset, size in self._look_up(index):
            number = int.from_bytes(key, "big") - self.shard.first
            sane = self.header_bytes < size <= self._max_bytes and offset < _MAX_OFFSET
            if sane and 0 <= number < self.shard.count and not self._sizes[number]:
                self._offsets[number] = offset
                self._sizes[number] = size - self.header_bytes

    def _look_up(self, index: int) -> Sequence[Entry]:
        if self._tree is None:
            return ()
        try:
            if self._num_learned > _FEW:
                return self._tree.leaf(key_of(index))
            entry = self._tree.find(key_of(index))
        except DataLoss:
            return ()
        return (entry,) if entry else ()


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
