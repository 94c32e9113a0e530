"""Splits by the names of folders, label files and archives."""

from collections import Counter
from pathlib import Path

import pytest

from tests.datagen_server.importing.sources.building import by_label, lines, listed, tar, write, write_lmdb
from tests.datagen_server.importing.sources.reading import GOOD, entries_of


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("training/MJ/MJ_test", "train"),
        ("validation", "valid"),
        ("evaluation/SVT", "test"),
        ("Test", "test"),
        ("x", None),
    ],
)
def test_folders_name_the_split(tmp_path: Path, folder: str, split: str | None) -> None:
    write(tmp_path / "data", {f"{folder}/test.png": GOOD})
    assert [entry.split for entry in entries_of(tmp_path / "data")] == [split]
    write_lmdb(tmp_path / "ocr" / folder, [("ab", GOOD)])
    assert [entry.split for entry in entries_of(tmp_path / "ocr")] == [split]


def test_label_files_and_archives_name_the_split(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**listed(), "rec_gt_train.txt": lines("\t"), "rec_gt_test.txt": lines("\t")})
    assert Counter(entry.split for entry in entries_of(data)) == {"train": 4, "test": 4}
    write(tmp_path / "x", by_label())
    (tmp_path / "archives").mkdir()
    tar(tmp_path / "archives" / "train-0000.tar", tmp_path / "x")
    tar(tmp_path / "archives" / "test-0000.tar", tmp_path / "x")
    assert Counter(entry.split for entry in entries_of(tmp_path / "archives")) == {"train": 4, "test": 4}
