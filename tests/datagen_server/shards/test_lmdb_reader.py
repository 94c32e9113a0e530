"""LMDB itself is the oracle."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.shards.lmdb_reader import Tree
from shared.errors import DataLoss

keys = st.one_of(st.binary(min_size=1, max_size=16), st.integers(0, 2**20).map(lambda n: n.to_bytes(8, "big")))
values = st.one_of(
    st.binary(min_size=1, max_size=100), st.integers(1, 20_000).map(lambda size: bytes([size % 251]) * size)
)
transactions = st.lists(st.tuples(st.dictionaries(keys, values, max_size=60), st.sets(keys, max_size=5)), max_size=5)


def write(path: Path, pieces: list[tuple[dict[bytes, bytes], set[bytes]]]) -> dict[bytes, bytes]:
    """Writes transactions of (puts, deletes); returns what LMDB then holds."""
    with lmdb.open(str(path), subdir=False, lock=False, sync=False, map_size=2**27, lib_version=0) as env:
        for puts, deletes in pieces:
            with env.begin(write=True) as transaction:
                for key, value in puts.items():
                    transaction.put(key, value)
                for key in deletes:
                    transaction.delete(key)
        with env.begin() as transaction:
            return dict(transaction.cursor())


def read(path: Path, wanted: Mapping[bytes, bytes]) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        tree = Tree(fd)
        for key, value in wanted.items():
            entry = tree.find(key)
            assert entry is not None
            assert os.pread(fd, entry.size, entry.offset) == value
            assert entry in tree.leaf(key)
        assert tree.find(b"\xff" * 17) is None
        assert all(tree.find(key + b"\0") is None for key in wanted if key + b"\0" not in wanted)
    finally:
        os.close(fd)


@given(transactions)
@settings(max_examples=60)
def test_it_finds_what_lmdb_holds_and_nothing_else(pieces: list[tuple[dict[bytes, bytes], set[bytes]]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        read(path, write(path, pieces))


def test_it_finds_every_key_of_a_tree_with_branches(tmp_path: Path) -> None:
    values = {number.to_bytes(8, "big"): bytes([number % 256]) * 500 for number in range(0, 6000, 3)}
    read(tmp_path / "data", write(tmp_path / "data", [(values, set())]))


@pytest.mark.parametrize("content", [b"", b"no database", bytes(100_000)])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(DataLoss, match="not an LMDB file"):
        read(tmp_path / "data", {})


@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=20), st.booleans())
@settings(max_examples=150)
def test_whatever_a_damaged_file_says_it_ends_with_an_answer_or_data_loss(
    changes: list[tuple[int, int]], only_pages: bool
) -> None:
    values = {number.to_bytes(8, "big"): bytes([number % 256]) * 400 for number in range(300)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        write(path, [(values, set())])
        content = bytearray(path.read_bytes())
        for offset, byte in changes:
            place = offset % len(content)
            content[place // 4096 * 4096 + place % 64 if only_pages else place] = byte
        path.write_bytes(content)
        fd = os.open(path, os.O_RDONLY)
        try:
            tree = Tree(fd)
            for key in values:
                entry = tree.find(key)
                assert entry is None or entry.size < 2**32
                tree.leaf(key)
        except DataLoss:
            pass
        finally:
            os.close(fd)
