"""What a path is taken for, or why there is nothing to import from it; and the alphabet beside."""

from pathlib import Path

import pytest

from datagen_server.importing.sources.detection import Hints, open_sources
from tests.datagen_server.importing.sources.building import SAMPLES, by_label, write, write_lmdb
from tests.datagen_server.importing.sources.reading import GOOD, refused


def test_what_holds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in refused(tmp_path / "empty")
    assert "does not exist" in refused(tmp_path / "none")
    write(tmp_path, {"a.xyz": "text", "broken.tar": "text", "broken.zip": "text", "b.txt": "x"})
    assert "is nothing to import from" in refused(tmp_path / "a.xyz")
    assert "is not a tar archive" in refused(tmp_path / "broken.tar")
    assert "holds no label file" in refused(tmp_path / "empty", Hints(kind="labels"))
    assert "holds no LMDB file" in refused(tmp_path / "empty", Hints(kind="ocr-lmdb"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk"])
def test_dict_txt_gives_the_alphabet(tmp_path: Path, encoding: str) -> None:
    data = write(write_lmdb(tmp_path / "ocr" / "train", SAMPLES).parent, {"dict.txt": "码\nb\na\n".encode(encoding)})
    assert [one.alphabet for one in open_sources(data, Hints(), tmp_path)] == ["码ba"]


def test_a_folder_called_dict_txt_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**by_label(), "dict.txt/a.png": GOOD})
    assert "dict.txt is a folder" in refused(data)
