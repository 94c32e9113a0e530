import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen_server.shards.digest_cache import CACHE_NAME
from datagen_server.shards.manifest import MANIFEST_NAME, Manifest
from datagen_server.shards.verify import Finding, _ranges, verify
from shared.dataset.seeding import Draws
from shared.errors import DataLoss, StreamingError, UsageError
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import (
    TINY,
    build,
    change_byte,
    content,
    copy,
    damage_record,
    plan_of,
)

PLAN = plan_of()
SHARDS = PLAN.shards


def test_an_intact_set_has_no_findings(pristine: Path) -> None:
    verified = verify(pristine)
    assert (verified.num_records, verified.num_shards, verified.findings) == (71, 6, ())
    assert (verified.num_damaged, verified.num_repaired, verified.joined) == (0, 0, False)
    assert verified.digest == Manifest.read(pristine).digest


@pytest.mark.parametrize("codec", Codec)
def test_every_damaged_record_is_named_and_repaired_to_the_same_file(tmp_path: Path, codec: Codec) -> None:
    plan = plan_of(codec=codec)
    build(tmp_path, plan)
    before = content(tmp_path)
    for shard, index in ((SHARDS[1], 20), (SHARDS[3], 16), (SHARDS[3], 18), (SHARDS[3], 19), (SHARDS[3], 31)):
        damage_record(tmp_path, plan, shard, index)
    verified = verify(tmp_path)
    assert [(finding.shard, finding.indices) for finding in verified.findings] == [
        (SHARDS[1], (20,)),
        (SHARDS[3], (16, 18, 19, 31)),
    ]
    assert str(verified.findings[1]) == "train-00001-of-00004.lmdb: records 16, 18-19, 31 of train: damaged"
    assert (verified.num_damaged, verified.num_repaired, verified.digest) == (5, 0, "")
    assert content(tmp_path) != before
    repaired = verify(tmp_path, repair=True)
    assert (repaired.num_damaged, repaired.num_repaired) == (5, 5)
    assert content(tmp_path) == before
    assert not verify(tmp_path).findings


def test_repair_makes_a_missing_shard_again(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    (directory / SHARDS[2].file).unlink()
    assert verify(directory).num_damaged == SHARDS[2].count
    assert verify(directory, repair=True).num_repaired == SHARDS[2].count
    assert content(directory) == content(pristine)


def test_lost_records_stay_damaged_when_this_renderer_draws_other_pixels(foreign: Path, tmp_path: Path) -> None:
    directory = copy(foreign, tmp_path / "shards")
    damage_record(directory, Manifest.read(directory).plan, SHARDS[2], 3)
    before = content(directory)
    verified = verify(directory, repair=True)
    assert (verified.num_damaged, verified.num_repaired, verified.digest) == (1, 0, "")
    assert content(directory) == before


def test_damage_outside_of_all_records_is_repaired_even_by_another_renderer(foreign: Path, tmp_path: Path) -> None:
    directory = copy(foreign, tmp_path / "shards")
    change_byte(directory / SHARDS[3].file, os.path.getsize(directory / SHARDS[3].file) - 1)
    verified = verify(directory, repair=True)
    assert (verified.num_damaged, verified.num_repaired) == (1, 1)
    assert "bytes outside of all records: repaired" in str(verified.findings[0])
    assert content(directory) == content(foreign)


@pytest.mark.parametrize(
    "plan", [PLAN, plan_of(TINY)], ids=["records in pages of their own", "records in shared pages"]
)
def test_any_flipped_byte_is_found_and_repaired_to_the_same_file(tmp_path: Path, plan: object) -> None:
    plan = plan_of(plan.dataset.spec, {"train": 16})  # type: ignore[attr-defined]
    build(tmp_path, plan)
    before, draws = content(tmp_path), Draws(2)
    path = tmp_path / plan.shards[0].file
    for _ in range(50):
        change_byte(path, draws.randbelow(path.stat().st_size), 1 + draws.randbelow(255))
        verified = verify(tmp_path, repair=True)
        assert verified.num_damaged == verified.num_repaired > 0
        assert content(tmp_path) == before


def test_a_damaged_manifest_is_rebuilt_by_repair_alone(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    (directory / MANIFEST_NAME).write_text("{}")
    with pytest.raises(DataLoss, match="verify --repair"):
        verify(directory)
    assert verify(directory, repair=True).joined
    assert content(directory) == content(pristine)


def test_parts_that_are_not_complete_are_named(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    (directory / MANIFEST_NAME).unlink()
    (directory / SHARDS[4].file).unlink()
    with pytest.raises(StreamingError, match=f"1 of 6 shards are missing \\({SHARDS[4].file}\\)"):
        verify(directory)
    assert not (directory / MANIFEST_NAME).exists()


def test_damaged_parts_are_not_joined(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    (directory / MANIFEST_NAME).unlink()
    shutil.rmtree(directory / CACHE_NAME)
    damage_record(directory, PLAN, SHARDS[2], 3)
    assert not verify(directory).joined
    assert not (directory / MANIFEST_NAME).exists()
    assert verify(directory, repair=True).joined
    assert content(directory) == content(pristine)


def test_parts_of_different_data_sets_are_kept_apart(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    (directory / MANIFEST_NAME).unlink()
    other = plan_of(codec=Codec.PNG)
    build(tmp_path / "other", other)
    shutil.copy(tmp_path / "other" / SHARDS[5].file, directory)
    with pytest.raises(UsageError, match=f"{SHARDS[5].file} is of another data set than .*codec png, not raw"):
        verify(directory)


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_directory_without_shards_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        verify(tmp_path / name)


@given(st.sets(st.integers(0, 40), min_size=1))
def test_ranges_name_every_index_once(indices: set[int]) -> None:
    named: list[int] = []
    for part in _ranges(sorted(indices)).split(", "):
        low, _, high = part.partition("-")
        named += range(int(low), int(high or low) + 1)
    assert named == sorted(indices)


def test_a_shard_damaged_outside_of_all_records_counts_once() -> None:
    assert Finding(SHARDS[0], (), repaired=False).count == 1
    assert Finding(SHARDS[0], (1, 2), repaired=False).count == 2
