import errno
import logging
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.shards import digest_cache
from datagen_server.shards.manifest import Manifest, Plan, Shard
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.seeding import Draws
from shared.errors import DataLoss, Unavailable
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import (
    COUNTS,
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
from tests.datagen_server.sources.source_contract import COUNTS as CONTRACT_COUNTS
from tests.datagen_server.sources.source_contract import SPEC, OpenSource, SourceContract

LAST_OF_TRAIN = plan_of().shards[-1]
FULL = plan_of().shards[-2]
EVERYTHING = {split: tuple(range(count)) for split, count in COUNTS.items()}


class TestShardSource(SourceContract):
    @pytest.fixture(scope="class", params=Codec)
    @classmethod
    def open_source(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenSource:
        directory = tmp_path_factory.mktemp("contract")
        build(directory, plan_of(SPEC, CONTRACT_COUNTS, request.param, shard_size=50))
        return lambda: ShardSource(directory)


def assert_all_rendered(directory: Path, plan: Plan | None = None) -> ShardSource:
    """Reads everything; returns the source, closed."""
    spec = (plan or plan_of()).dataset.spec
    source = ShardSource(directory)
    for split, indices in EVERYTHING.items():
        assert_rendered(read(source, split, *indices), spec, split, *indices)
    source.close()
    return source


@pytest.mark.parametrize("stored", Codec)
@pytest.mark.parametrize("spec", [SMALL, TINY], ids=["records in pages of their own", "records in shared pages"])
def test_stored_samples_are_the_rendered_ones_in_every_codec(tmp_path: Path, stored: Codec, spec: object) -> None:
    plan = plan_of(spec, codec=stored)  # type: ignore[arg-type]
    build(tmp_path, plan)
    source = ShardSource(tmp_path)
    assert source.codecs[0] is stored
    assert set(source.codecs) == set(Codec)
    indices = (49, 0, 16, 15, 49)
    for codec in Codec:
        assert_rendered(read(source, "train", *indices, codec=codec), plan.dataset.spec, "train", *indices)
    assert_all_rendered(tmp_path, plan)
    assert not source.damage.healed


@given(st.lists(st.integers(0, 49), max_size=80))
@settings(max_examples=40)
def test_any_batch_in_any_order_is_the_rendered_one(pristine: Path, indices: list[int]) -> None:
    source = ShardSource(pristine)
    records = read(source, "train", *indices)
    assert records.labels.shape == (len(indices), SMALL.max_length)
    assert_rendered(records, SMALL, "train", *indices)


def test_intact_records_come_in_one_piece(pristine: Path) -> None:
    assert len(read(ShardSource(pristine), "train", 3, 40, 17).payloads) == 1


@pytest.mark.parametrize("problem", [errno.EAGAIN, errno.EOPNOTSUPP], ids=["not there", "cannot tell"])
def test_what_is_not_in_memory_is_waited_for(pristine: Path, monkeypatch: pytest.MonkeyPatch, problem: int) -> None:
    expected, read_now = [], os.preadv

    def preadv(fd: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT and offset // 4096 % 2:
            raise OSError(problem, os.strerror(problem))
        return read_now(fd, buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(os, "posix_fadvise", lambda *asked: expected.append(asked))
    source = ShardSource(pristine)
    indices = (3, 40, 17, 49, 0, 16)
    assert_rendered(read(source, "train", *indices), SMALL, "train", *indices)
    assert expected
    assert not source.damage.healed


def test_only_what_is_not_in_memory_is_left_to_another_thread(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, read_now, cached = set[str](), os.preadv, [True]

    def preadv(fd: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT and not cached[0]:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        threads.add(threading.current_thread().name)
        return read_now(fd, buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", preadv)
    source, indices = ShardSource(pristine), np.arange(20, dtype=np.uint64)
    assert source.read("train", indices, source.codecs[0]).done()
    assert threads == {threading.current_thread().name}
    cached[0] = False
    threads.clear()
    assert len(source.read("train", indices, source.codecs[0]).result().labels) == 20
    assert all(name.startswith("read-shards") for name in threads)
    assert threads
    source.close()
    with pytest.raises(Unavailable):
        source.read("train", indices, source.codecs[0]).result()


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


def test_after_closing_reads_fail(pristine: Path) -> None:
    source = ShardSource(pristine)
    source.close()
    with pytest.raises(Unavailable):
        read(source, "train", 1)


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


def test_a_second_start_does_not_read_the_files_again(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = copy(pristine, tmp_path / "shards")
    assert_all_rendered(directory)

    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("the whole file was read")

    monkeypatch.setattr(digest_cache, "compute", refuse)
    assert_all_rendered(directory)


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


def test_the_manifests_data_set_is_what_is_served(pristine: Path) -> None:
    source = ShardSource(pristine)
    assert source.dataset == Manifest.read(pristine).plan.dataset
    assert source.kind == "shards"
    assert np.array_equal(read(source, "test", 20).labels, read(source, "test", 20, 1).labels[:1])


def test_the_least_recently_used_shard_is_closed_first(tmp_path: Path) -> None:
    plan = plan_of(TINY, {"train": 8}, shard_size=2)
    build(tmp_path, plan)
    source = ShardSource(tmp_path, max_open=3)
    for index in (0, 2, 4, 0, 6):
        read(source, "train", index)
    assert list(source._shard_cache._files) == [plan.shards[number].file for number in (2, 0, 3)]
    source.close()
