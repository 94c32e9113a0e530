"""The laws of an import: what comes out depends on the pictures and labels alone."""

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.importing.report import REPORT_NAME
from datagen_server.shards.manifest import Manifest
from datagen_server.shards.verify import verify
from datagen_server.workers.executors import process_workers
from shared.dataset.fit import Fit
from shared.images.decode import decode_picture
from shared.images.fit import fit_picture
from shared.protocol.codec import Codec
from tests.datagen_server.importing.running import contents, files_of, imported, many, request, run, samples_of
from tests.datagen_server.importing.sources.building import BUILDERS, SAMPLES, by_label, write
from tests.shared.images.files import picture_file, pixels


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
