"""LMDBs with something wrong: they give what is left of them, or one line."""

import struct
from pathlib import Path

import lmdb
import pytest

from datagen_server.importing.sources.detection import Hints, open_sources
from tests.datagen_server.importing.sources.building import SAMPLES, write, write_lmdb
from tests.datagen_server.importing.sources.reading import GOOD, entries_of, outcome, refused


@pytest.mark.parametrize(
    ("extra", "expected", "words"),
    [
        ({}, {"good": 4}, "num-samples says the same"),
        ({b"num-samples": b"1000000000"}, {"good": 4}, "num-samples says '1000000000', which is wrong"),
        ({b"num-samples": b"2"}, {"good": 4}, "num-samples says '2', which is wrong"),
        ({b"num-samples": b"many"}, {"good": 4}, "num-samples says 'many', which is wrong"),
        ({b"num-samples": None}, {"good": 4}, "num-samples is absent"),
        ({b"image-000000002": None}, {"good": 3, "missing_picture": 1}, "3 pictures"),
        ({b"label-000000002": None}, {"good": 3, "no_label": 1}, "4 pictures"),
        ({b"image-000000002": b"text"}, {"good": 3, "not_a_picture": 1}, "4 pictures"),
        ({b"image-000000000": GOOD, b"label-000000000": b"zero"}, {"good": 5}, "5 pictures"),
        ({b"something-else": b"x", b"image-": b"y"}, {"good": 4}, "4 pictures"),
    ],
)
def test_entries_of_an_lmdb(
    tmp_path: Path, extra: dict[bytes, bytes | None], expected: dict[str, int], words: str
) -> None:
    path = write_lmdb(tmp_path / "ocr", SAMPLES, extra)
    assert outcome(path) == expected
    (one,) = open_sources(path, Hints(), tmp_path)
    list(one.source.entries())
    assert words in " ".join(one.source.notes)


def test_an_lmdb_of_many_pages_is_walked_in_order(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "ocr", [(f"n{number}", GOOD) for number in range(3000)])
    assert [entry.label for entry in entries_of(path)] == [f"n{number}" for number in range(3000)]


def test_an_lmdb_of_another_format_version_is_told_so(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "ocr", SAMPLES) / "data.mdb"
    with open(path, "r+b") as file:
        for page in (0, 4096):
            file.seek(page + 20)
            file.write(struct.pack("<I", 999))
    assert "is an LMDB file of format version 999, this reads version 1" in refused(path.parent)
    (tmp_path / "new").mkdir()
    lmdb.open(str(tmp_path / "new" / "data.mdb"), subdir=False, lib_version=1).close()
    assert "is an LMDB file" in refused(tmp_path / "new")


def test_what_is_no_lmdb_is_told_so(tmp_path: Path) -> None:
    write(tmp_path / "ocr", {"data.mdb": b"text"})
    assert "data.mdb is not an LMDB file" in refused(tmp_path / "ocr")


def test_a_damaged_lmdb_gives_what_is_left_of_it(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "ocr", [(f"n{number}", GOOD) for number in range(400)]) / "data.mdb"
    whole = path.read_bytes()
    for size in (len(whole) // 2, len(whole) - 4096):
        path.write_bytes(whole[:size])
        counts = outcome(path.parent)
        assert counts.keys() & {"damaged_source", "unreadable_file", "missing_picture", "no_label"}
    for place in range(8192, len(whole), 65_536):
        damaged = bytearray(whole)
        damaged[place : place + 64] = b"\xff" * 64
        path.write_bytes(damaged)
        assert outcome(path.parent).get("good", 0) < 401
