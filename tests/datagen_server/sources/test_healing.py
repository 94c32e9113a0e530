"""Damaged and missing shards: their samples are rendered again, or refused by name."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from datagen_server.shards.manifest import Manifest, Shard
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.seeding import Draws
from shared.errors import DataLoss
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import (
    SMALL,
    TINY,
    assert_rendered,
    build,
    change_byte,
    copy,
    damage_record,
    plan_of,
    read,
)
from tests.datagen_server.sources.reading import assert_all_rendered

LAST_OF_TRAIN = plan_of().shards[-1]
FULL = plan_of().shards[-2]


def test_a_missing_file_is_named_at_the_start_until_it_is_back(
    pristine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = copy(pristine, tmp_path / "shards")
    file = directory / next(shard.file for shard in plan_of().shards if 16 in shard.indices and shard.split == "train")
    content_of_it = file.read_bytes()
    file.unlink()
    source = ShardSource(directory)
    assert (
        f"1 of 6 shard files are missing in {directory} ({file.name}); their samples are rendered again" in caplog.text
    )
    assert source.damage.missing == {file.name}
    assert_rendered(read(source, "train", 16, 3), SMALL, "train", 16, 3)
    file.write_bytes(content_of_it)
    assert_rendered(read(source, "train", 17), SMALL, "train", 17)
    assert not source.damage.missing


def test_a_damaged_record_is_rendered_again_counted_and_logged(
    pristine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = copy(pristine, tmp_path / "shards")
    damage_record(directory, Manifest.read(directory).plan, LAST_OF_TRAIN, 49)
    with caplog.at_level(logging.WARNING):
        source = assert_all_rendered(directory)
    assert source.damage.healed == {LAST_OF_TRAIN.file: 1}
    text = caplog.text
    assert f"{LAST_OF_TRAIN.file} has another SHA-256" in text
    assert f"{LAST_OF_TRAIN.file}: damaged record of index 49 rendered again" in text


def test_a_damaged_record_is_refused_by_name_when_this_renderer_draws_other_pixels(
    foreign: Path, tmp_path: Path
) -> None:
    directory = copy(foreign, tmp_path / "shards")
    damage_record(directory, Manifest.read(directory).plan, LAST_OF_TRAIN, 49)
    source = ShardSource(directory)
    assert_rendered(read(source, "train", 48, 3), SMALL, "train", 48, 3)
    with pytest.raises(DataLoss, match=rf"{LAST_OF_TRAIN.file}: the record of index 49 .* cannot be rendered again"):
        read(source, "train", 3, 49)
    assert source.damage.refused == {LAST_OF_TRAIN.file: 1}
    assert not source.damage.healed


def test_a_missing_shard_is_rendered_again_without_a_flood_of_messages(
    pristine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = copy(pristine, tmp_path / "shards")
    lost = plan_of().shards[2]
    (directory / lost.file).unlink()
    with caplog.at_level(logging.WARNING):
        source = assert_all_rendered(directory)
    assert source.damage.healed == {lost.file: lost.count}
    assert len(caplog.records) <= 7


def test_a_shard_of_another_split_in_place_of_this_one_is_not_believed(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    test, train = plan_of().shards[0], plan_of().shards[2]
    assert (test.first, test.count) == (train.first, train.count)
    shutil.copy(directory / test.file, directory / train.file)
    assert assert_all_rendered(directory).damage.healed == {train.file: train.count}


def test_a_shard_cut_off_while_it_is_served_does_no_harm(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    source = ShardSource(directory)
    read(source, "train", *range(50))
    os.truncate(directory / FULL.file, 4096 * 3)
    assert_rendered(read(source, "train", *range(50)), SMALL, "train", *range(50))
    assert source.damage.healed


def test_a_mended_file_is_noticed_while_it_is_served(pristine: Path, tmp_path: Path) -> None:
    directory = copy(pristine, tmp_path / "shards")
    damage_record(directory, Manifest.read(directory).plan, LAST_OF_TRAIN, 49)
    source = ShardSource(directory)
    read(source, "train", 49)
    shutil.copy(pristine / LAST_OF_TRAIN.file, directory / "good")
    os.replace(directory / "good", directory / LAST_OF_TRAIN.file)
    read(source, "train", 49)
    num_healed = source.damage.healed[LAST_OF_TRAIN.file]
    read(source, "train", 49)
    assert source.damage.healed[LAST_OF_TRAIN.file] == num_healed


@pytest.mark.parametrize("spec", [SMALL, TINY], ids=["records in pages of their own", "records in shared pages"])
@pytest.mark.parametrize("codec", [Codec.RAW, Codec.ZSTD])
def test_any_flipped_byte_is_healed_with_the_right_bytes(tmp_path: Path, spec: object, codec: Codec) -> None:
    plan = plan_of(spec, {"train": 16, "test": 1}, codec)  # type: ignore[arg-type]
    build(tmp_path, plan)
    shard = plan.shards[-1]
    path = tmp_path / shard.file
    original, draws = path.read_bytes(), Draws(1)
    for _ in range(75):
        path.write_bytes(original)
        change_byte(path, draws.randbelow(len(original)), 1 + draws.randbelow(255))
        source = ShardSource(tmp_path)
        assert_rendered(read(source, "train", *range(16)), plan.dataset.spec, "train", *range(16))
        source.close()


def test_a_file_cut_off_at_any_page_is_healed_or_refused_by_name(pristine: Path, foreign: Path, tmp_path: Path) -> None:
    for origin, own in ((pristine, True), (foreign, False)):
        directory = copy(origin, tmp_path / origin.name)
        path = directory / FULL.file
        original = path.read_bytes()
        num_refused = 0
        for size in range(0, len(original), 4096):
            path.write_bytes(original[:size])
            num_refused += refused_of(FULL, directory)
        assert (num_refused > 0) is not own


def refused_of(shard: Shard, directory: Path) -> int:
    """Reads samples one by one: each is the rendered one or refused by name. Returns how many were refused."""
    source = ShardSource(directory)
    num_refused = 0
    for index in shard.indices:
        future = source.read("train", np.array([index], np.uint64), Codec.RAW)
        if error := future.exception():
            num_refused += 1
            assert isinstance(error, DataLoss)
            assert f"{shard.file}: the record of index {index} " in str(error)
        else:
            assert_rendered(future.result(), SMALL, "train", index)
    source.close()
    return num_refused
