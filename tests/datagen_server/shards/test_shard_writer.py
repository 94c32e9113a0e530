import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from datagen_server.shards.manifest import PLAN_KEY
from datagen_server.shards.render_chunk import chunk_of, render_chunk
from datagen_server.shards.shard_writer import ShardWriter, chunk_size, key_of, seal, unseal
from shared.dataset.spec import DatasetSpec
from shared.errors import StreamingError
from tests.datagen_server.shards.building import plan_of

PLAN = plan_of(counts={"train": 150}, shard_size=150)
(SHARD,) = PLAN.shards


def write(directory: Path) -> Path:
    writer, digest = ShardWriter(directory, PLAN, SHARD), 0
    for start in range(0, SHARD.count, chunk_size(PLAN.dataset.spec)):
        rendered = render_chunk(chunk_of(PLAN, "train", SHARD.indices[start : start + chunk_size(PLAN.dataset.spec)]))
        writer.append(rendered.records)
        digest += rendered.digest
    writer.finish(digest)
    return directory / SHARD.file


def test_the_same_records_make_the_same_file_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    program = f"from pathlib import Path; from {__name__} import write; write(Path({str(tmp_path / 'there')!r}))"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert write(tmp_path / "here").read_bytes() == (tmp_path / "there" / SHARD.file).read_bytes()


def test_lmdb_reads_every_record_under_its_big_endian_index(tmp_path: Path) -> None:
    records = render_chunk(chunk_of(PLAN, "train", SHARD.indices)).records
    environment = lmdb.open(str(write(tmp_path)), subdir=False, readonly=True, lock=False, lib_version=0)
    with environment, environment.begin() as transaction:
        stored = dict(transaction.cursor())
    described = unseal(stored.pop(PLAN_KEY))
    assert stored == {key_of(index): record for index, record in zip(SHARD.indices, records, strict=True)}
    assert described is not None
    assert described["shard"] == SHARD.file


def test_a_writer_that_gives_up_leaves_nothing(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, PLAN, SHARD)
    writer.append([b"record"])
    assert list(tmp_path.iterdir())
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StreamingError, match=r"cannot write .*train-00000-of-00001.lmdb: .*[Nn]o such file"):
        ShardWriter(tmp_path / "gone", PLAN, SHARD)


def test_a_chunk_has_at_most_64_images_and_at_least_one() -> None:
    assert chunk_size(DatasetSpec(width=16, height=16)) == 64
    assert chunk_size(DatasetSpec()) == 64
    assert chunk_size(DatasetSpec(width=1024, height=1024)) == 1


def test_a_description_with_a_changed_byte_is_none() -> None:
    sealed = seal(PLAN, SHARD, 7)
    assert unseal(sealed) == {**PLAN.to_mapping(), "shard": SHARD.file, "digest": f"{7:032x}"}
    for offset in range(len(sealed)):
        assert unseal(sealed[:offset] + bytes([sealed[offset] ^ 1]) + sealed[offset + 1 :]) is None
    assert unseal(b"") is None
