"""A shard as a task for a worker: pictures that are stored as they were looked at, straight from the scratch.

Note: a worker fills a partial file, and only its parent gives that the name of a shard. So a worker that outlives its
parent for a moment cannot come between the next run and its shards.

Apart from those who give such tasks, because a worker that imports pictures loads no renderer.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen_server.importing.picture_rows import Rows, digest_at
from datagen_server.importing.scratch import read_pixels
from datagen_server.shards.manifest import Plan, Shard
from datagen_server.shards.pack_records import EncodedSample, RecordTarget, pack_records
from datagen_server.shards.record import DIGEST_MODULUS
from datagen_server.shards.shard_writer import ShardWriter, chunk_size
from datagen_server.workers.worker import is_orphaned
from shared.errors import StreamingError


@dataclass(frozen=True)
class ShardTask:
    """One shard, and where its samples are."""

    directory: Path
    plan: Mapping[str, Any]
    "As `Plan.to_mapping` gives it: a plan itself may list many shards."
    shard: Shard
    pixels: Path
    "The file of pixels."
    pictures: Rows
    "[shard.count] of its samples."
    labels: Sequence[str]


def fill_shard(task: ShardTask) -> tuple[Path, int]:
    """What a worker does: a complete partial file, and the sum of its samples' digests."""
    plan, shard = Plan.from_mapping(task.plan), task.shard
    target = RecordTarget(plan.dataset.spec, plan.dataset.fingerprint, plan.codec, shard.split)
    size, digest = chunk_size(plan.dataset.spec), 0
    writer = ShardWriter(task.directory, plan, shard)
    try:
        pixels = os.open(task.pixels, os.O_RDONLY)
        try:
            for start in range(0, shard.count, size):
                part = range(start, min(start + size, shard.count))
                rendered = pack_records(target, _samples(task, pixels, part), len(part))
                writer.append(rendered.records)
                digest += rendered.digest
                if is_orphaned():
                    raise StreamingError("the process that asked for this shard is gone")
        finally:
            os.close(pixels)
        digest %= DIGEST_MODULUS
        return writer.close(digest), digest
    except BaseException:
        writer.abandon()
        raise


def _samples(task: ShardTask, pixels: int, part: range) -> Iterator[EncodedSample]:
    columns = (task.pictures[name][part.start : part.stop].tolist() for name in ("offset", "size", "checksum"))
    for number, *place in zip(part, *columns, strict=True):
        data = read_pixels(pixels, *place)
        if data is None:
            raise StreamingError(f"{task.pixels.parent} is damaged; run it again")
        yield task.shard.first + number, task.labels[number], digest_at(task.pictures["content"], number), data
