"""Checks every record of one shard: what `verify` reports, and what an interrupted `materialize` may keep."""

from dataclasses import dataclass
from pathlib import Path

from datagen_server.shards import digest_cache
from datagen_server.shards.manifest import Plan, Shard, StoredShard
from datagen_server.shards.record import DIGEST_MODULUS, digested, layout_of, sample_digest
from datagen_server.shards.shard_file import ShardFile, read_description
from shared.errors import DataLoss, UsageError
from shared.protocol.image_codec import decode
from shared.system.open_files import check_handles


@dataclass(frozen=True)
class ScanResult:
    """What was found in one shard."""

    stored: StoredShard | None
    "The file as it is; None when it cannot be read."
    damaged: tuple[int, ...]
    "Indices whose records are missing or damaged, in ascending order."
    digest: int
    "The sum of the digests of the intact samples."
    intact: bool
    "All records are intact, and so is the shard's description of itself."


def scan(directory: Path, plan: Plan, shard: Shard) -> ScanResult:
    """Checks each record, then computes the digest of the file."""
    path = directory / shard.file
    try:
        damaged, digest = _scan_records(ShardFile(path, plan, shard), plan)
        intact = not damaged and described_digest(path, plan, shard) == digest
        stored = StoredShard(shard, path.stat().st_size, digest_cache.compute(path, intact=intact))
    except (OSError, DataLoss) as error:
        if isinstance(error, OSError):
            check_handles(error)
        return ScanResult(None, tuple(shard.indices), 0, intact=False)
    return ScanResult(stored, tuple(damaged), digest, intact)


def finished(directory: Path, plan: Plan, shard: Shard) -> tuple[StoredShard, int] | None:
    """The entry and digest of a shard that is complete and intact; None when it must be made, or made again.

    A file was intact when it got a shard's name, and the digest cache says so. Where it has no entry, all records are
    checked.
    """
    path = directory / shard.file
    digest = described_digest(path, plan, shard)
    if digest is None:
        return None
    still_intact = digest_cache.is_still_intact(path)
    if still_intact is not None:
        stored = StoredShard(shard, path.stat().st_size, digest_cache.sha256_of(path)) if still_intact else None
        return (stored, digest) if stored else None
    result = scan(directory, plan, shard)
    return (result.stored, digest) if result.stored and result.intact else None


def described_digest(path: Path, plan: Plan, shard: Shard) -> int | None:
    """The digest of the samples as the shard at `path` states it.

    None when the file has no readable description, or the description of another shard or plan.
    """
    try:
        description = read_description(path)
        if description is None or description["shard"] != shard.file:
            return None
        same_plan = not plan.difference(Plan.from_mapping(description))
        return int(description["digest"], 16) if same_plan else None
    except (OSError, UsageError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, OSError):
            check_handles(error)
        return None


def _scan_records(file: ShardFile, plan: Plan) -> tuple[list[int], int]:
    """The indices of damaged records, and the sum of the digests of the others."""
    digests = {index: _digest_of(file, plan, index) for index in file.shard.indices}
    damaged = [index for index, digest in digests.items() if digest is None]
    return damaged, sum(digest for digest in digests.values() if digest is not None) % DIGEST_MODULUS


def _digest_of(file: ShardFile, plan: Plan, index: int) -> int | None:
    """None for a record that is damaged, or whose image cannot be decoded although its checksum is right."""
    record = file.record(index)
    if record is None:
        return None
    spec, layout = plan.dataset.spec, layout_of(plan.dataset.spec)
    label = layout.stored_label(record, spec.max_length)
    try:
        (image,) = decode([memoryview(record)[layout.header_bytes :]], plan.codec, spec.image_shape)
    except DataLoss:
        return None
    return sample_digest(file.shard.split, index, label, digested(spec, image))
