"""Samples read from shards are the rendered ones, in any order and codec."""

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.shards import digest_cache
from datagen_server.shards.manifest import Manifest
from datagen_server.sources.shard_source import ShardSource
from shared.errors import Unavailable
from shared.protocol.codec import Codec
from tests.datagen_server.shards.building import SMALL, TINY, assert_rendered, build, copy, plan_of, read
from tests.datagen_server.sources.reading import assert_all_rendered
from tests.datagen_server.sources.source_contract import COUNTS as CONTRACT_COUNTS
from tests.datagen_server.sources.source_contract import SPEC, OpenSource, SourceContract


class TestShardSource(SourceContract):
    @pytest.fixture(scope="class", params=Codec)
    @classmethod
    def open_source(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenSource:
        directory = tmp_path_factory.mktemp("contract")
        build(directory, plan_of(SPEC, CONTRACT_COUNTS, request.param, shard_size=50))
        return lambda: ShardSource(directory)


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


def test_after_closing_reads_fail(pristine: Path) -> None:
    source = ShardSource(pristine)
    source.close()
    with pytest.raises(Unavailable):
        read(source, "train", 1)


def test_a_second_start_does_not_read_the_files_again(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = copy(pristine, tmp_path / "shards")
    assert_all_rendered(directory)

    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("the whole file was read")

    monkeypatch.setattr(digest_cache, "compute", refuse)
    assert_all_rendered(directory)


def test_the_manifests_data_set_is_what_is_served(pristine: Path) -> None:
    source = ShardSource(pristine)
    assert source.dataset == Manifest.read(pristine).plan.dataset
    assert source.kind == "shards"
    assert np.array_equal(read(source, "test", 20).labels, read(source, "test", 20, 1).labels[:1])
