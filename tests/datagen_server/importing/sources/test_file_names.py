"""Labels in file names: taken where they are plain, asked about where they can be read in two ways."""

from pathlib import Path

import pytest

from datagen_server.importing.labels import LabelRules
from datagen_server.importing.sources.detection import Hints
from tests.datagen_server.importing.sources.building import by_label, write
from tests.datagen_server.importing.sources.reading import GOOD, entries_of, outcome, refused


def test_names_with_spaces_umlauts_chinese_and_quotes(tmp_path: Path) -> None:
    labels = ["a b", "für", "fu\u0308r2", "验证码", "it's", 'say "a"', "a.b", "(x)"]
    write(tmp_path / "data", {f"{label}.png": GOOD for label in labels})
    found = sorted(LabelRules().apply(entry.label) for entry in entries_of(tmp_path / "data"))
    assert found == sorted(["a b", "für", "für2", "验证码", "it's", 'say "a"', "a.b", "(x)"])


def test_names_that_can_be_read_in_two_ways_are_asked_about(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**{f"ab_{n}.png": GOOD for n in range(5)}, **by_label()})
    assert "56% of the names look like LABEL_NUMBER (ab_0.png), the others not" in refused(data)
    hints = Hints(label_pattern=r"(?P<label>[^/_]+)[^/]*$")
    assert {entry.label for entry in entries_of(data, hints)} == {"ab", "abc", "b2", "Ca", "1114"}
    assert "must have a group called label" in refused(data, Hints(label_pattern="a.*"))
    assert "no regular expression" in refused(data, Hints(label_pattern="(?P<label>"))


def test_a_few_names_without_the_number_are_skipped_by_name(tmp_path: Path) -> None:
    names = {f"{n % 7}ab_{n}.png": GOOD for n in range(40)}
    data = write(tmp_path / "data", {**names, "IMG.png": GOOD})
    assert outcome(data) == {"good": 40, "no_label": 1}


def test_labels_with_a_hyphen_are_no_running_numbers(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {f"{n % 3}-{n}.png": GOOD for n in range(9)})
    assert {entry.label for entry in entries_of(data)} == {f"{n % 3}-{n}" for n in range(9)}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["0.png", "1.png", "2.png", "labels.json"], "labels.json is no label file of a known form"),
        (["007.png", "008.png", "009.png", "labels.csv"], "labels.csv is no label file of a known form"),
        (["a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png"], "where the folder's name is the label"),
    ],
)
def test_names_that_only_number_the_pictures_are_no_labels(tmp_path: Path, files: list[str], words: str) -> None:
    write(tmp_path / "data", {name: GOOD if name.endswith(".png") else '{"0.png": "ab"}' for name in files})
    assert words in refused(tmp_path / "data")
    assert outcome(tmp_path / "data", Hints(kind="names"))["good"] == sum(name.endswith(".png") for name in files)


@pytest.mark.parametrize("files", [["0.png", "1.png", "2.png"], ["0.png", "17.png", "20.png", "readme.txt"]])
def test_names_of_digits_may_be_labels(tmp_path: Path, files: list[str]) -> None:
    write(tmp_path / "data", {name: GOOD if name.endswith(".png") else "Hello" for name in files})
    assert outcome(tmp_path / "data") == {"good": 3}
