"""Finds keys in an LMDB file with `pread` alone: the map from keys to places in the file, without mapping the file.

Why not LMDB itself: it reads through a memory map, where a file that was cut short, or a bad sector, ends the process
with SIGBUS, at any moment. A `pread` returns short or raises instead. It costs little: 200,000 shuffled records of
30 kB a second on one core, checksums compared, against 270,000 through the map, unchecked (`bench_read`); and the pages
read never count as the process's memory.

Note: what a page says is used only within bounds, and may still be wrong. A caller must check what it reads at the
place given (records have checksums).

The layout is that of LMDB 0.9 (`lmdb.open(..., lib_version=0)`) on a little-endian machine, one unnamed database; see
"Page structure" in its `mdb.c`. Writing is left to LMDB.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from shared.errors import DataLoss

_PAGE_SIZES = (4096, 8192, 16384, 32768)
_MAGIC = 0xBEEFC0DE
_VERSION = 1
_BRANCH, _LEAF = 0x01, 0x02
_OVERFLOW_DATA, _PLAIN_DATA = 0x01, 0x00
_NO_PAGE = 2**64 - 1
_MAX_DEPTH = 32
_MAX_OFFSET = 2**62
_NO_NODE = (0, 0, 0xFFFF, 0)
_PAGE_HEADER_BYTES = 16
_NODE_HEADER_BYTES = 8

_META = struct.Struct("<16xII16xI44x40xQQQ")  # magic, version, page size; root, last page, transaction
_PAGE = struct.Struct("<QHHHH")  # number, padding, flags, end of pointers, start of nodes
_NODE = struct.Struct("<HHHH")  # low and high half of the size (branch: of the page), flags, key size
_PAGE_NUMBER = struct.Struct("<Q")


class Entry(NamedTuple):
    """Where the value of a key lies in the file, in bytes."""

    key: bytes
    offset: int
    size: int


class Tree:
    """The keys of the newest complete transaction in an LMDB file. Raises `DataLoss` where a page makes no sense."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        metas = [meta for size in _PAGE_SIZES for number in (0, 1) if (meta := self._meta(number, size))]
        if not metas:
            raise DataLoss("not an LMDB file: no meta page is intact")
        _, self._root, self._page_size = max(metas)

    def find(self, key: bytes) -> Entry | None:
        """The entry of `key`; three small reads in a file of millions of keys."""
        page = self._descend(key)
        if page is None:
            return None
        pointers = _pointers(page)
        place = bisect_right(pointers, key, key=lambda pointer: _key(page, pointer))
        if not place or _key(page, pointers[place - 1]) != key:
            return None
        return self._entry(page, pointers[place - 1])

    def leaf(self, key: bytes) -> list[Entry]:
        """All entries of the page where `key` is, or would be: its neighbours."""
        page = self._descend(key)
        entries = () if page is None else (self._entry(page, pointer) for pointer in _pointers(page))
        return [entry for entry in entries if entry is not None]

    def walk(self) -> "Walk":
        """All entries, in the order of their keys."""
        return Walk(self)

    def _meta(self, number: int, page_size: int) -> tuple[int, int, int] | None:
        data = self._read(number * page_size, _META.size)
        if len(data) < _META.size:
            return None
        magic, version, stored_size, root, _, transaction = _META.unpack(data)
        known = (magic, version, stored_size) == (_MAGIC, _VERSION, page_size)
        return (transaction, root, page_size) if known else None

    def _descend(self, key: bytes) -> bytes | None:
        number = self._root
        if number == _NO_PAGE:
            return None
        for _ in range(_MAX_DEPTH):
            page, flags = self._page(number)
            if flags == _LEAF:
                return page
            number = _child(page, key)
        raise DataLoss(f"page {number} is deeper than any tree")

    def _page(self, number: int) -> tuple[bytes, int]:
        offset = number * self._page_size
        page = self._read(offset, self._page_size)
        if len(page) < self._page_size:
            raise DataLoss(f"page {number} lies past the end of the file")
        stored_number, _, flags, lower, upper = _PAGE.unpack_from(page)
        if stored_number != number or flags not in (_BRANCH, _LEAF) or lower > upper or upper > self._page_size:
            raise DataLoss(f"page {number} is damaged")
        if lower < _PAGE_HEADER_BYTES + 2:
            raise DataLoss(f"page {number} is empty")
        return page, flags

    def _entry(self, page: bytes, pointer: int) -> Entry | None:
        """None where the page makes no sense at that place; its other entries may be whole."""
        low, high, flags, key_size = _node(page, pointer)
        value = pointer + _NODE_HEADER_BYTES + key_size
        if flags == _PLAIN_DATA:
            own_offset = _PAGE.unpack_from(page)[0] * self._page_size
            return Entry(_key(page, pointer), own_offset + value, high << 16 | low)
        if flags != _OVERFLOW_DATA or value + _PAGE_NUMBER.size > len(page):
            return None
        (number,) = _PAGE_NUMBER.unpack_from(page, value)
        offset = number * self._page_size + _PAGE_HEADER_BYTES
        return Entry(_key(page, pointer), offset, high << 16 | low) if offset < _MAX_OFFSET else None

    def _read(self, offset: int, size: int) -> bytes:
        """Fewer than `size` bytes where the file ends before; `DataLoss` for a bad sector."""
        try:
            return os.pread(self._fd, size, offset) if offset < _MAX_OFFSET else b""
        except OSError as error:
            raise DataLoss(f"cannot read the file at byte {offset}: {error.strerror}") from error


class Walk:
    """One way through all pages of a tree. Damaged ones are passed over and counted."""

    def __init__(self, tree: Tree) -> None:
        self.num_damaged = 0
        self._tree = tree

    def entries(self) -> Iterator[Entry]:
        """In the order of the keys; `num_damaged` is complete after the last."""
        tree, seen = self._tree, set[int]()
        pages = [] if tree._root == _NO_PAGE else [tree._root]
        while pages:
            number = pages.pop()
            try:
                page, flags = tree._page(number)
            except DataLoss:
                self.num_damaged += 1
                continue
            if number in seen:  # A tree has no way back, a damaged one may.
                self.num_damaged += 1
                continue
            seen.add(number)
            pointers = _pointers(page)
            if flags == _BRANCH:
                pages += [_child_at(page, pointer) for pointer in reversed(pointers)]
            else:
                yield from (entry for pointer in pointers if (entry := tree._entry(page, pointer)))


def _pointers(page: bytes) -> tuple[int, ...]:
    lower = _PAGE.unpack_from(page)[3]
    return struct.unpack_from(f"<{(lower - _PAGE_HEADER_BYTES) // 2}H", page, _PAGE_HEADER_BYTES)


def _node(page: bytes, pointer: int) -> tuple[int, int, int, int]:
    if pointer + _NODE_HEADER_BYTES > len(page):
        return _NO_NODE
    low, high, flags, key_size = _NODE.unpack_from(page, pointer)
    return low, high, flags, key_size


def _key(page: bytes, pointer: int) -> bytes:
    start = pointer + _NODE_HEADER_BYTES
    return page[start : start + _node(page, pointer)[3]]


def _child(page: bytes, key: bytes) -> int:
    """The page below which `key` is; the first child has no key of its own and takes all up to the second."""
    pointers = _pointers(page)
    place = bisect_right(pointers, key, lo=1, key=lambda pointer: _key(page, pointer))
    return _child_at(page, pointers[place - 1])


def _child_at(page: bytes, pointer: int) -> int:
    low, high, flags, _ = _node(page, pointer)
    return flags << 32 | high << 16 | low
