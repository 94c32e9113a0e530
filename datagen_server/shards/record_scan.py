"""Looks at every record of one shard: what `verify` reports, and what an interrupted `materialize` may keep."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen_server.shards import digest_cache as checked
from datagen_server.shards.manifest import Plan, Shard, StoredShard
from datagen_server.shards.record import DIGEST_MODULUS, HEADER_BYTES, LABEL_OFFSET, sample_digest
from datagen_server.shards.shard_file import ShardFile, read_description
from shared.errors import DataLoss
from shared.protocol.codec import decode


@dataclass(frozen=True)
class Examined:
    """What was found in one shard."""

    stored: StoredShard | None
    "The file as it is; None when it cannot be read."
    damaged: tuple[int, ...]
    "Indices whose records are missing or damaged, in ascending order."
    digest: int
    "The sum of the digests of the intact samples."
    intact: bool
    "Every record is, and the shard's description of itself too."


def examine(directory: Path, plan: Plan, shard: Shard) -> Examined:
    """Looks at each record, then digests the file."""
    path = directory / shard.file
    try:
        damaged, digest = _look_at_records(ShardFile(path, plan, shard), plan)
        intact = not damaged and described_digest(path, plan, shard) == digest
        stored = StoredShard(shard, path.stat().st_size, checked.check(path, intact=intact))
    except (OSError, DataLoss):
        return Examined(None, tuple(shard.indices), 0, intact=False)
    return Examined(stored, tuple(damaged), digest, intact)


def finished(directory: Path, plan: Plan, shard: Shard) -> tuple[StoredShard, int] | None:
    """The entry and digest of a shard that is there as a whole; None when it must be made, or made again.

    A file was whole when it got a shard's name, and that was noted. Without a note all records are looked at.
    """
    path = directory / shard.file
    digest = described_digest(path, plan, shard)
    if digest is None:
        return None
    still_intact = checked.is_still_intact(path)
    if still_intact is not None:
        return (StoredShard(shard, path.stat().st_size, checked.sha256_of(path)), digest) if still_intact else None
    examined = examine(directory, plan, shard)
    return (examined.stored, digest) if examined.stored and examined.intact else None


def described_digest(path: Path, plan: Plan, shard: Shard) -> int | None:
    """The digest of the samples as the shard at `path` tells it; None when it does not tell, or is of another plan."""
    try:
        description = read_description(path)
    except OSError:
        return None
    expected = {**plan.to_mapping(), "shard": shard.file}
    return int(description["digest"], 16) if description and description.items() >= expected.items() else None


def _look_at_records(file: ShardFile, plan: Plan) -> tuple[list[int], int]:
    """The indices of damaged records, and the sum of the digests of the others."""
    digests = {index: _digest_of(file, plan, index) for index in file.shard.indices}
    damaged = [index for index, digest in digests.items() if digest is None]
    return damaged, sum(digest for digest in digests.values() if digest is not None) % DIGEST_MODULUS


def _digest_of(file: ShardFile, plan: Plan, index: int) -> int | None:
    """None for a record that is not intact, or whose image, though stored as meant, cannot be decoded."""
    record = file.record(index)
    if record is None:
        return None
    spec = plan.dataset.spec
    label = np.frombuffer(record, np.uint8, spec.max_length, LABEL_OFFSET)
    try:
        (image,) = decode([memoryview(record)[HEADER_BYTES:]], plan.codec, spec.image_shape)
    except DataLoss:
        return None
    return sample_digest(file.shard.split, index, label, image)
