"""Label files with something wrong: each line gives its picture, or the reason why not."""

from pathlib import Path

import pytest

from datagen_server.importing.sources.detection import Hints, open_sources
from tests.datagen_server.importing.sources.building import lines, listed, write
from tests.datagen_server.importing.sources.reading import GOOD, entries_of, outcome, refused
from tests.shared.images.files import picture_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("images/0.png\tab\nimages/none.png\tcd\n", {"good": 1, "missing_picture": 1}),
        ("images/0.png\tab\n../../etc/passwd.png\tcd\n", {"good": 1, "path_outside_source": 1}),
        ("images/0.png\tab\n/etc/passwd.png\tcd\n", {"good": 1, "path_outside_source": 1}),
        ("images/0.png\tab\nC:\\pictures\\1.png\tcd\n", {"good": 1, "path_outside_source": 1}),
        ("images\\0.png\tab\n", {"good": 1}),
        ("images/0.png\tab\nnothing that has a form\n", {"good": 1, "malformed_line": 1}),
        ("images/0.png\n", {"empty_label": 1}),
        ("images/0.png\t\n", {"empty_label": 1}),
        ("train_data/rec/images/0.png\tab\n", {"good": 1}),
        ('images/0.png, "a""b"\n', {"good": 1}),
        ("images/0.png a b c\n", {"good": 1}),
        ("images/0.png\ta\x00b\n", {"control_character_in_label": 1}),
        ("\n\nimages/0.png\tab\n\n", {"good": 1}),
    ],
)
def test_lines_of_a_label_file(tmp_path: Path, text: str, expected: dict[str, int]) -> None:
    write(tmp_path / "data", {"images/0.png": GOOD, "gt.txt": text})
    assert outcome(tmp_path / "data" / "gt.txt") == expected


def test_a_name_alone_means_a_picture_in_another_folder_only_where_no_other_is_called_so(tmp_path: Path) -> None:
    files = ("a/0.png", "b/0.png", "a/1.png")
    pictures = {name: picture_file(seed=seed) for seed, name in enumerate(files)}
    data = write(tmp_path / "data", {**pictures, "labels.csv": "filename,label\n0.png,ab\n1.png,cd\nx/1.png,ef\n"})
    assert outcome(data) == {"good": 1, "missing_picture": 2, "no_label": 2}
    (opened,) = open_sources(data, Hints(), tmp_path)
    list(opened.source.entries())
    assert opened.source.notes[1] == "1 pictures found in other folders by their names alone: 1.png is a/1.png"


@pytest.mark.parametrize("label_file", ["test/labels.csv", "test.csv"])
def test_a_missing_picture_is_not_taken_from_another_split(tmp_path: Path, label_file: str) -> None:
    files: dict[str, bytes | str] = {"train/3.png": GOOD, "test/4.png": picture_file(seed=4)}
    text = "filename,label\n3.png,ab\n4.png,cd\n"
    data = write(tmp_path / "data", {**files, label_file: text, "train/labels.csv": "filename,label\n3.png,ef\n"})
    assert outcome(data) == {"good": 2, "missing_picture": 1}


def test_quotes_spaces_and_separators_in_labels_are_kept(tmp_path: Path) -> None:
    for text, label in (
        ('images/0.png, "say ""a, b"""\n', 'say "a, b"'),
        ('images/0.png\t"ab"\n', '"ab"'),
        ("images/0.png a b  c\n", "a b  c"),
        ("images/0.png\ta,b\n", "a,b"),
    ):
        write(tmp_path / "data", {"images/0.png": GOOD, "gt.txt": text})
        (entry,) = entries_of(tmp_path / "data" / "gt.txt")
        assert entry.label == label


def test_pictures_that_no_label_file_lists_are_said(tmp_path: Path) -> None:
    write(tmp_path / "data", {**listed(), "images/more.png": GOOD, "gt.txt": lines("\t"), "README.md": "hello"})
    assert outcome(tmp_path / "data") == {"good": 4, "no_label": 1}
    (one,) = open_sources(tmp_path / "data", Hints(), tmp_path)
    assert one.source.notes == ["labels from gt.txt (utf-8)", "ignored 1 other files: README.md"]


def test_label_files_in_gbk_are_read_and_others_refused_with_the_line(tmp_path: Path) -> None:
    write(tmp_path / "data", {"a.png": GOOD, "gt.txt": "a.png\t验证码\n".encode("gbk")})
    (entry,) = entries_of(tmp_path / "data")
    assert entry.label == "验证码"
    write(tmp_path / "data", {"gt.txt": b"a.png\tab\na.png\t\xff\xff\n"})
    assert "gt.txt line 2 is not UTF-8, UTF-16 or GBK text" in refused(tmp_path / "data")
    write(tmp_path / "data", {"gt.txt": "a.png\tfür\n".encode("latin-1")})
    (entry,) = entries_of(tmp_path / "data", Hints(encoding="latin-1"))
    assert entry.label == "für"
    assert "there is no encoding 'klingon'" in refused(tmp_path / "data", Hints(encoding="klingon"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file;text\n0.png;ab\n1.png\n", {"good": 1, "malformed_line": 1}),
        ('label,image\n"a,b",0.png\n', {"good": 1}),
        ("file_name\ttext\n0.png\tab\n", {"good": 1}),
        ('file,text\n0.png,"ab\n', {"good": 1}),
        ("file,text\n" + "0.png," + "x" * 200_000 + "\n0.png,ab\n", {"good": 1, "malformed_line": 1}),
    ],
)
def test_lines_of_csv(tmp_path: Path, text: str, expected: dict[str, int]) -> None:
    write(tmp_path / "data", {"0.png": GOOD, "labels.csv": text})
    assert outcome(tmp_path / "data" / "labels.csv") == expected


def test_a_csv_without_a_header_is_read(tmp_path: Path) -> None:
    write(tmp_path / "data", {"0.png": GOOD, "1.png": GOOD, "labels.csv": "0.png,ab\n1.png,cd\n"})
    assert [entry.label for entry in entries_of(tmp_path / "data")] == ["ab", "cd"]


def test_lines_of_json(tmp_path: Path) -> None:
    text = '{"image": "0.png", "label": 17}\n{"image": "0.png"}\n[1]\n{"image\n' + "[" * 100_000 + "\n"
    write(tmp_path / "data", {"0.png": GOOD, "metadata.jsonl": text})
    assert outcome(tmp_path / "data" / "metadata.jsonl") == {"good": 1, "malformed_line": 4}
