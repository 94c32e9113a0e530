"""The laws of an import: what comes out depends on the pictures and labels alone."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from datagen_server.importing import import_pictures, picture_chunk
from datagen_server.importing.report import REPORT_NAME
from datagen_server.importing.scratch import Scratch
from datagen_server.shards.manifest import Manifest
from datagen_server.shards.verify import verify
from datagen_server.workers.executors import process_workers
from shared.dataset.fit import Fit
from shared.errors import StreamingError, UsageError
from shared.images.decode import Colour, decode_picture
from shared.images.fit import fit_picture
from shared.protocol.codec import Codec
from tests.datagen_server.importing.running import contents, files_of, imported, request, run, samples_of
from tests.datagen_server.importing.sources.building import BUILDERS, SAMPLES, by_label, write
from tests.shared.images.files import picture_file, pixels, saved


def many(num: int = 60, first: int = 0, **options: int) -> dict[str, bytes]:
    """LABEL_NUMBER.png of pictures of several sizes, formats and modes."""
    files = {}
    for number in range(first, first + num):
        form = ("PNG", "JPEG", "WEBP", "BMP")[number % 4]
        size = ((160, 64), (100, 40), (160, 64))[number % 3]
        files[f"{number % 7}x{number % 11}_{number}.{form.lower()}"] = picture_file(*size, form=form, seed=number)
    return files


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_kind_of_source_gives_one_data_set(kind: str, tmp_path: Path) -> None:
    path = BUILDERS[kind](tmp_path / "data")
    facts = imported(("train", path), out=tmp_path / "out")
    assert facts["taken"] == len(SAMPLES)
    reference = imported(("train", write(tmp_path / "names", by_label())), out=tmp_path / "reference")
    assert facts["fingerprint"] == reference["fingerprint"]
    assert Manifest.read(tmp_path / "out").digest == Manifest.read(tmp_path / "reference").digest


def test_pixels_and_labels_are_those_of_the_pictures(tmp_path: Path) -> None:
    imported(("train", write(tmp_path / "data", by_label())), out=tmp_path / "out", fit=Fit(mode="stretch"))
    spec = Manifest.read(tmp_path / "out").plan.dataset.spec
    assert (spec.width, spec.height, spec.alphabet, spec.min_length, spec.max_length) == (40, 20, "124Cabc", 2, 4)
    expected = {
        (label, fit_picture(decode_picture(file), 40, 20, Fit(mode="stretch")).tobytes()) for label, file in SAMPLES
    }
    assert contents(samples_of(tmp_path / "out")) == {"train": expected}


def test_verify_finds_nothing_and_the_scratch_is_gone(tmp_path: Path) -> None:
    imported(write(tmp_path / "data", many()), out=tmp_path / "out")
    assert verify(tmp_path / "out").findings == ()
    assert not (tmp_path / "out" / ".import").exists()
    report = json.loads((tmp_path / "out" / REPORT_NAME).read_text())
    assert report["taken"] == 60
    assert {"taken", "skipped", "reasons", "duplicates", "splits", "size", "alphabet", "fingerprint"} <= report.keys()


@settings(max_examples=10)
@given(st.randoms(use_true_random=False), st.sampled_from(Codec), st.integers(1, 70))
def test_order_names_and_sources_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, draw: random.Random, codec: Codec, shard_size: int
) -> None:
    folder = tmp_path_factory.mktemp("law")
    files = list(many(40).items())
    one = imported(write(folder / "one", dict(files)), out=folder / "a", codec=codec, shard_size=shard_size)
    draw.shuffle(files)
    cut = draw.randrange(len(files))
    parts = [dict(files[:cut]), {f"again/{name}": file for name, file in files[cut:]}]
    paths = [write(folder / f"part{number}", part) for number, part in enumerate(parts) if part]
    draw.shuffle(paths)
    other = imported(*paths, out=folder / "b", codec=codec, shard_size=shard_size)
    for key in ("fingerprint", "splits", "size", "alphabet", "reasons"):
        assert one[key] == other[key]
    shards = [{name: file for name, file in files_of(folder / out).items() if ".lmdb" in name} for out in "ab"]
    assert shards[0] == shards[1]


def test_many_workers_give_the_same_bytes_as_one(tmp_path: Path) -> None:
    data = write(tmp_path / "data", many())
    run(request(data), tmp_path / "a")
    run(request(data), tmp_path / "b", lambda: process_workers(3))
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


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


def test_large_pictures_are_read_twice_and_give_the_same(tmp_path: Path) -> None:
    files = {f"ab_{n}.png": picture_file(700, 500, seed=n) for n in range(5)}
    data = write(tmp_path / "data", files)
    imported(("train", data), out=tmp_path / "out", size=(70, 48))
    expected = {("ab", fit_picture(pixels(700, 500, seed), 70, 48, Fit()).tobytes()) for seed in range(5)}
    assert contents(samples_of(tmp_path / "out")) == {"train": expected}


def test_the_fingerprint_changes_with_pixels_labels_and_fit(tmp_path: Path) -> None:
    data = write(tmp_path / "data", many(20))
    fingerprints = {imported(data, out=tmp_path / "a")["fingerprint"]}
    fingerprints.add(imported(data, out=tmp_path / "b", fit=Fit(mode="crop"))["fingerprint"])
    fingerprints.add(imported(data, out=tmp_path / "c", size=(80, 32))["fingerprint"])
    os.rename(data / "0x0_0.png", data / "0x1_0.png")
    fingerprints.add(imported(data, out=tmp_path / "d")["fingerprint"])
    write(data, {"0x1_0.png": picture_file(seed=999)})
    fingerprints.add(imported(data, out=tmp_path / "e")["fingerprint"])
    assert len(fingerprints) == 5


def test_forty_bad_ones_among_many_are_listed_by_reason(tmp_path: Path) -> None:
    bad = {f"bad_{n}.png": (b"", b"text", picture_file()[:80], b"GIF89a")[n % 4] for n in range(36)}
    bad |= {f"{'x' * 40}_{n}.png": picture_file(seed=2000 + n) for n in range(4)}
    facts = imported(write(tmp_path / "data", {**many(300), **bad}), out=tmp_path / "out")
    assert facts["taken"] == 300
    assert facts["reasons"] == {"damaged_picture": 18, "not_a_picture": 18, "label_too_long": 4}
    assert all(len(facts["examples"][name]) == min(20, count) for name, count in facts["reasons"].items())


def test_strict_writes_no_shards(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {**by_label(), "bad.png": b"text"})
    with pytest.raises(StreamingError, match="1 pictures are faulty") as caught:
        imported(data, out=tmp_path / "out", strict=True)
    assert caught.value.exit_code == 1
    assert not list((tmp_path / "out").glob("*.lmdb"))
    (data / "bad.png").unlink()
    assert imported(data, out=tmp_path / "out", strict=True)["taken"] == 4


def test_nothing_left_is_one_line_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no picture is left to import: 1 not a picture \(ab.png: is not a PNG, .*\)"):
        imported(write(tmp_path / "data", {"ab.png": b"text"}), out=tmp_path / "out")


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "data", by_label())
    write(tmp_path / "out", {"letter.txt": "Dear"})
    with pytest.raises(UsageError, match=r"holds letter.txt, which is no part of a set of shards"):
        imported(data, out=tmp_path / "out")
    imported(data, out=tmp_path / "shards")
    before = files_of(tmp_path / "shards")
    write(data, many(5))
    with pytest.raises(UsageError, match="holds shards of another data set"):
        imported(data, label_pattern="^(?P<label>[^_]+)", out=tmp_path / "shards")
    assert files_of(tmp_path / "shards") == before


def test_a_complete_set_whose_description_is_gone_gets_it_again(tmp_path: Path) -> None:
    data = write(tmp_path / "data", many(30))
    imported(data, out=tmp_path / "out")
    before = files_of(tmp_path / "out")
    for name in ("origins.jsonl", "import-report.json"):
        (tmp_path / "out" / name).unlink()
    imported(data, out=tmp_path / "out")
    assert files_of(tmp_path / "out") == before


# Interruptions


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_an_import_that_was_interrupted_goes_on(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data", {**many(150), "bad_1.png": b"text"})
    run(request(data), tmp_path / "whole")
    left = after

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **values: object) -> object:
            nonlocal left
            if left == 0:
                raise Interrupted
            left -= 1
            return function(*args, **values)

        return call

    with monkeypatch.context() as patched:
        for name in ("look_at_pictures", "write_origins", "write_shards"):
            patched.setattr(import_pictures, name, counted(getattr(import_pictures, name)))
        patched.setattr(Scratch, "learn", counted(Scratch.learn))

        try:
            run(request(data), tmp_path / "out")
        except Interrupted:
            assert not (tmp_path / "out" / "manifest.json").exists()
    run(request(data), tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_what_was_looked_at_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data", many(100))
    interrupt(monkeypatch, data, tmp_path / "out")
    write(data, {"0x0_0.png": picture_file(seed=999)})
    decoded: list[bytes] = []

    def decode(data: bytes, ground: Colour) -> NDArray[np.uint8]:
        decoded.append(data)
        return decode_picture(data, ground)

    monkeypatch.setattr(picture_chunk, "decode_quietly", decode)
    run(request(data), tmp_path / "out")
    assert decoded == [picture_file(seed=999)]


def test_damaged_scratch_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data", many(60))
    run(request(data), tmp_path / "whole")
    for damage in ("pixels", "pictures"):
        interrupt(monkeypatch, data, tmp_path / damage)
        file = tmp_path / damage / ".import" / damage
        content = bytearray(file.read_bytes()) if file.exists() else bytearray(100)
        content[: len(content) // 2] = bytes(len(content) // 2)
        file.write_bytes(content)
        run(request(data), tmp_path / damage)
        assert files_of(tmp_path / damage) == files_of(tmp_path / "whole")


def interrupt(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path) -> None:
    """An import that ends when all has been looked at."""

    def raise_interrupted(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(import_pictures, "decide", raise_interrupted)
        with pytest.raises(Interrupted):
            run(request(data), out)
