"""What an import decides: which pictures are taken, their splits, the alphabet and the size."""

from pathlib import Path

import pytest
from PIL import Image

from shared.errors import UsageError
from tests.datagen_server.importing.running import contents, imported, many, samples_of
from tests.datagen_server.importing.sources.building import SAMPLES, by_label, write
from tests.shared.images.files import picture_file, pixels, saved


def test_pictures_that_are_added_move_no_other_to_another_split(tmp_path: Path) -> None:
    data = write(tmp_path / "data", many(200))
    imported(data, out=tmp_path / "before", size=(80, 32))
    write(data, many(500, first=1000))
    imported(data, out=tmp_path / "after", size=(80, 32))
    before, after = contents(samples_of(tmp_path / "before")), contents(samples_of(tmp_path / "after"))
    assert set(before) == {"train", "valid", "test"}
    assert all(before[split] <= after[split] for split in before)
    assert 0.05 * 700 < len(after["test"]) < 0.16 * 700


def test_shares_are_taken_from_train_where_splits_have_names(tmp_path: Path) -> None:
    write(tmp_path / "data", {f"train/{name}": file for name, file in many(100).items()})
    write(tmp_path / "data", {f"test/{name}": file for name, file in many(20, first=500).items()})
    facts = imported(tmp_path / "data", out=tmp_path / "out", valid_share=0.2)
    assert facts["splits"]["test"] == 20
    assert sum(facts["splits"].values()) == 120
    assert 5 < facts["splits"]["valid"] < 40
    with pytest.raises(UsageError, match="--test-share makes a split test, and the sources have one already"):
        imported(tmp_path / "data", out=tmp_path / "other", test_share=0.2)


def test_pictures_outside_of_the_named_splits_are_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {f"train/{name}": file for name, file in by_label().items()})
    write(data, {"extra/xyz.png": picture_file(seed=77)})
    facts = imported(data, out=tmp_path / "out")
    assert facts["splits"] == {"train": 4}
    assert facts["reasons"] == {"no_split": 1}
    assert facts["examples"]["no_split"][0]["file"] == "extra/xyz.png"


def test_a_split_that_vanishes_is_said(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {f"train/{name}": file for name, file in by_label().items()})
    write(data, {"test/ab.png": b"no picture"})
    facts = imported(data, out=tmp_path / "out")
    assert facts["splits"] == {"train": 4}
    assert "split test has no picture left" in facts["notes"]
    facts = imported(write(tmp_path / "one", {"ab.png": picture_file()}), out=tmp_path / "one-out")
    assert sum(f"split {name} has no picture left" in facts["notes"] for name in ("train", "valid", "test")) == 2


def test_equal_pictures_are_kept_once_counted_across_splits_and_dropped_where_they_contradict(tmp_path: Path) -> None:
    one, two, three = (picture_file(seed=seed) for seed in (1, 2, 3))
    again = saved(Image.fromarray(pixels(seed=1)), "BMP")
    files = {
        "train/ab_1.png": one,
        "train/ab_2.bmp": again,
        "test/ab_3.png": one,
        "train/cd_4.png": two,
        "test/ce_5.png": two,
        "train/ff_6.png": three,
    }
    facts = imported(write(tmp_path / "data", files), out=tmp_path / "out")
    assert facts["splits"] == {"test": 1, "train": 2}
    assert facts["reasons"] == {"contradicting_labels": 2, "duplicate": 1}
    assert (facts["duplicates"], facts["duplicates_across_splits"]) == (1, 1)
    assert [one["file"] for one in facts["examples"]["contradicting_labels"]] == ["test/ce_5.png", "train/cd_4.png"]
    assert facts["alphabet"] == "abf"


def test_labels_are_folded_before_they_are_compared(tmp_path: Path) -> None:
    files = {"AB_1.png": picture_file(seed=1), "ab_2.bmp": saved(Image.fromarray(pixels(seed=1)), "BMP")}
    facts = imported(("train", write(tmp_path / "data", files)), out=tmp_path / "out", case="lower")
    assert (facts["taken"], facts["reasons"], facts["alphabet"]) == (1, {"duplicate": 1}, "ab")


def test_the_alphabet_is_what_occurs_or_what_is_asked_for(tmp_path: Path) -> None:
    data = write(tmp_path / "data", by_label([*SAMPLES, ("für", picture_file(seed=5)), ("a b", picture_file(seed=6))]))
    assert imported(("train", data), out=tmp_path / "all")["alphabet"] == " 124Cabcfrü"
    facts = imported(("train", data), out=tmp_path / "some", alphabet="cba421C")
    assert (facts["alphabet"], facts["reasons"]) == ("cba421C", {"character_outside_alphabet": 2})
    write(data, {"dict.txt": "1\n2\n4\nz\n"})
    facts = imported(("train", data), out=tmp_path / "dict")
    assert (facts["alphabet"], facts["taken"]) == ("124z", 1)


def test_the_size_is_the_median_rounded_and_said(tmp_path: Path) -> None:
    sizes = [(50, 21), (101, 39), (101, 39), (400, 300)]
    files = {f"ab_{n}.png": picture_file(*size, seed=n) for n, size in enumerate(sizes)}
    facts = imported(("train", write(tmp_path / "data", files)), out=tmp_path / "out")
    assert facts["size"] == [100, 40]
    assert "size 100x40 from the median 101x39; --size chooses another" in facts["notes"]
    assert facts["sizes"] == {"101x39": 2, "50x21": 1, "400x300": 1}
    tiny = write(tmp_path / "tiny", {"a_1.png": picture_file(1, 1), "b_2.png": picture_file(1, 1, seed=1)})
    assert imported(("train", tiny), out=tmp_path / "tiny-out")["size"] == [16, 16]
