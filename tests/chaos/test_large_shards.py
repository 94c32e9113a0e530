"""A service over a hundred times the samples starts as quickly and takes no more memory. The images are tiny."""

import time
from pathlib import Path

import pytest

from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import Found, write_manifest
from datagen_server.shards.record import layout_of, record_key
from datagen_server.shards.shard_writer import ShardWriter, chunk_size
from shared.client import connect
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.codec import Codec
from tests.support.memory import resident_mb
from tests.support.services import ServiceProcess

SPEC = DatasetSpec(width=16, height=16)
FINGERPRINT = "0123456789abcdef" * 4
SPLIT = "train"


def image_of(index: int) -> bytes:
    return (index.to_bytes(8, "little") * (SPEC.image_bytes // 8))[: SPEC.image_bytes]


def write_shards(directory: Path, count: int, shard_size: int = 8192) -> None:
    dataset = Dataset(spec=SPEC, counts={SPLIT: count}, fingerprint=FINGERPRINT)
    plan = Plan(dataset=dataset, codec=Codec.RAW, shard_size=shard_size)
    key, label, layout = record_key(FINGERPRINT, SPLIT), bytes(SPEC.max_length), layout_of(SPEC)
    directory.mkdir()
    found: Found = {}
    for shard in plan.shards:
        writer, size = ShardWriter(directory, plan, shard), chunk_size(SPEC)
        for start in range(0, shard.count, size):
            images = ((index, image_of(index)) for index in shard.indices[start : start + size])
            writer.append([layout.header(key, index, Codec.RAW, label, image) + image for index, image in images])
        found[shard] = writer.finish(digest=0), 0
    write_manifest(directory, plan, found)


def start_and_read(directory: Path, count: int, num_batches: int) -> tuple[float, float, float]:
    """Seconds from the start to the first batch, resident MB then, and after reading shuffled batches."""
    started = time.monotonic()
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--shards", str(directory), "--stop-with-stdin"
    with ServiceProcess(*serve) as service, connect(service.target) as client:
        with client.stream(SPLIT, global_batch_size=64, num_steps=1) as stream:
            list(stream)
        start_s, first_mb = time.monotonic() - started, resident_mb(service.process.pid)
        num_steps = min(num_batches, count // 64)
        for epoch in range(num_batches // num_steps):
            with client.stream(SPLIT, epoch=epoch, global_batch_size=64, num_steps=num_steps) as stream:
                for batch in stream:
                    assert batch.images[0].tobytes() == image_of(int(batch.indices[0]))
        return start_s, first_mb, resident_mb(service.process.pid)


def compare(root: Path, small: int, large: int, num_batches: int) -> None:
    figures = []
    for count in (small, large):
        write_shards(root / str(count), count)
        figures.append(start_and_read(root / str(count), count, num_batches))
        start_s, first_mb, last_mb = figures[-1]
        memory = f"{first_mb:.0f} MB then, {last_mb:.0f} MB after {num_batches * 64:,} reads"
        print(f"\n{count:,} samples: first batch after {start_s:.2f} s, {memory}")
    assert figures[1][0] < figures[0][0] + 2
    assert figures[1][2] < figures[0][2] + 25


def test_eight_times_the_samples_cost_no_more_memory_or_time(tmp_path: Path) -> None:
    compare(tmp_path, 5_000, 40_000, num_batches=200)


@pytest.mark.long
def test_a_million_samples_cost_no_more_memory_or_time_than_ten_thousand(tmp_path: Path) -> None:
    compare(tmp_path, 10_000, 1_000_000, num_batches=15_625)
