"""Shards kept open: few at a time, whoever reads, and the least recently used is closed first."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datagen_server.sources.shard_source import ShardSource
from shared.dataset.seeding import Draws
from tests.datagen_server.shards.building import SMALL, TINY, assert_rendered, build, plan_of, read


def test_many_threads_may_read_through_few_open_files(pristine: Path) -> None:
    source = ShardSource(pristine, max_open=2)

    def work(seed: int) -> None:
        draws = Draws(seed)
        for _ in range(30):
            indices = [draws.randbelow(50) for _ in range(8)]
            assert_rendered(read(source, "train", *indices), SMALL, "train", *indices)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))


def test_open_files_stay_few(pristine: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    source = ShardSource(pristine, max_open=2)
    for index in range(0, 50, 16):
        read(source, "train", index)
    assert len(os.listdir("/proc/self/fd")) == before + 2
    source.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_and_files_do_not_depend_on_the_number_of_shards_that_were_read(tmp_path: Path) -> None:
    plan = plan_of(TINY, {"train": 80}, shard_size=2)
    build(tmp_path, plan)
    source = ShardSource(tmp_path, max_open=3)
    for start in range(0, 80, 40):
        indices = range(start, start + 40)
        assert_rendered(read(source, "train", *indices), TINY, "train", *indices)
    assert len(source._shard_cache._files) == 3


@pytest.mark.parametrize("max_open", [3, 40])
def test_no_more_places_are_kept_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_open: int) -> None:
    monkeypatch.setattr("datagen_server.sources.shard_source._MAX_PLACES", 5)
    build(tmp_path, plan_of(TINY, {"train": 80}, shard_size=2))
    source = ShardSource(tmp_path, max_open)
    for _ in range(2):
        for start in range(0, 80, 40):
            indices = range(start + 39, start - 1, -1)
            assert_rendered(read(source, "train", *indices), TINY, "train", *indices)
            assert sum(file.num_places for file in source._shard_cache._files.values()) == 4
    assert len(source._shard_cache._files) == max_open
    source.close()


def test_the_least_recently_used_shard_is_closed_first(tmp_path: Path) -> None:
    plan = plan_of(TINY, {"train": 8}, shard_size=2)
    build(tmp_path, plan)
    source = ShardSource(tmp_path, max_open=3)
    for index in (0, 2, 4, 0, 6):
        read(source, "train", index)
    assert list(source._shard_cache._files) == [plan.shards[number].file for number in (2, 0, 3)]
    source.close()
