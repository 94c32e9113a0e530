"""Damaged records of imported shards are made again from the original pictures, or refused by name."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datagen_server.importing.origins import ORIGINS_NAME, Originals
from datagen_server.shards.manifest import Manifest
from datagen_server.shards.verify import Verified, verify
from datagen_server.sources.shard_source import ShardSource
from shared.errors import DataLoss, UsageError
from tests.datagen_server.importing.running import files_of, imported, samples_of
from tests.datagen_server.importing.sources.building import BUILDERS, SAMPLES, write
from tests.datagen_server.shards.building import damage_record
from tests.shared.images.files import picture_file


def repaired(shards: Path, *paths: Path) -> Verified:
    return verify(shards, repair=True, open_maker=lambda directory, plan: closing(Originals(directory, plan, paths)))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    files = {f"ab_{n}.png": picture_file(*((40, 20), (700, 500))[n % 2], seed=n) for n in range(40)}
    imported(("train", write(tmp_path / "data", files)), out=tmp_path / "out", size=(40, 24))
    return tmp_path / "out"


def damage(shards: Path, *indices: int) -> None:
    plan = Manifest.read(shards).plan
    for index in indices:
        damage_record(shards, plan, plan.shards[index // plan.shard_size], index)


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_kind_of_source_repairs(kind: str, tmp_path: Path) -> None:
    path = BUILDERS[kind](tmp_path / "data")
    imported(("train", path), out=tmp_path / "out")
    before = files_of(tmp_path / "out")
    damage(tmp_path / "out", 1, 3)
    verified = repaired(tmp_path / "out", path)
    assert (verified.num_damaged, verified.num_repaired) == (2, 2)
    assert files_of(tmp_path / "out") == before
    assert len(samples_of(tmp_path / "out")["train"]) == len(SAMPLES)


def test_a_lost_shard_is_made_again(shards: Path, tmp_path: Path) -> None:
    before = files_of(shards)
    next(shards.glob("train-00001*")).unlink()
    assert repaired(shards, tmp_path / "data").num_repaired == 16
    assert files_of(shards) == before


def test_a_picture_that_has_changed_is_refused_by_name(shards: Path, tmp_path: Path) -> None:
    damage(shards, 5)
    for file in (tmp_path / "data").iterdir():
        file.write_bytes(picture_file(seed=12345))
    (finding,) = repaired(shards, tmp_path / "data").findings
    assert not finding.repaired
    assert "has changed since it was imported" in str(finding)
    assert "train-00000-of-00003.lmdb: records 5 of train: damaged (ab_" in str(finding)


def test_a_picture_that_is_gone_is_refused_by_name(shards: Path, tmp_path: Path) -> None:
    damage(shards, 5)
    other = write(tmp_path / "other", {"xy_1.png": picture_file()})
    (finding,) = repaired(shards, other).findings
    assert "is in none of the sources" in str(finding)


def test_without_the_source_nothing_is_repaired_and_the_remedy_is_said(shards: Path) -> None:
    damage(shards, 5)
    (finding,) = verify(shards, repair=True).findings
    assert "name what they were imported from with --source" in str(finding)
    with closing(ShardSource(shards)), pytest.raises(DataLoss, match="verify --repair --source SOURCE"):
        samples_of(shards)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-10], "is damaged"),
        (lambda data: data.replace(b"ab_", b"ac_", 1), "is damaged"),
        (lambda data: b"", "is damaged"),
        (lambda data: b"[1]\n", "is damaged"),
    ],
)
def test_damaged_origins_are_refused(
    shards: Path, tmp_path: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    path = shards / ORIGINS_NAME
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UsageError, match=words):
        repaired(shards, tmp_path / "data")


def test_origins_of_other_shards_are_refused(shards: Path, tmp_path: Path) -> None:
    imported(("train", BUILDERS["LABEL.png"](tmp_path / "x")), out=tmp_path / "other")
    (shards / ORIGINS_NAME).write_bytes((tmp_path / "other" / ORIGINS_NAME).read_bytes())
    with pytest.raises(UsageError, match="belongs to other shards"):
        repaired(shards, tmp_path / "data")
    (shards / ORIGINS_NAME).unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        repaired(shards, tmp_path / "data")
