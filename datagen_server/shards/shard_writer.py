"""Writes one shard: LMDB appends to a partial file, which gets the shard's name once it is complete and on the disk.

    .train-00000-of-00007.lmdb.4711-9f3a2c01.partial -> append ... -> sync -> rename to train-00000-of-00007.lmdb

Note: the bytes of the file depend on where transactions end. They end after every `chunk_size(spec)` records,
whoever rendered them and in whatever order, so the same records make the same file and a repaired shard is identical to
the last byte. LMDB zeroes its pages (MDB_NOMEMINIT is off); the file depends on LMDB's version and the page size of the
machine, the digest of the samples on neither.

Pages go through `pwrite`, not a writable map: a full disk is an error there, in a map it is SIGBUS.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lmdb
import xxhash

from datagen_server.shards import digest_cache
from datagen_server.shards.manifest import PLAN_KEY, Plan, Shard, StoredShard
from datagen_server.shards.record import layout_of, max_payload_bytes
from shared.dataset.spec import DatasetSpec
from shared.system.atomic_file import commit, partial_path, write_error

_CHUNK_BYTES = 2 * 2**20
_MAX_CHUNK = 64
_PAGE_BYTES = 65_536


def chunk_size(spec: DatasetSpec) -> int:
    """Records in each transaction, and in each piece of rendering work: at most 64, about 2 MiB of raw images."""
    return max(1, min(_MAX_CHUNK, _CHUNK_BYTES // spec.image_bytes))


def key_of(index: int) -> bytes:
    """Big-endian, so that keys sort as indices do."""
    return index.to_bytes(8, "big")


class ShardWriter:
    """Takes a shard's records in index order, one chunk at a time; ends with `finish` or `abandon`.

    Raises `StreamingError` when the disk is full or cannot be written to.
    """

    def __init__(self, directory: Path, plan: Plan, shard: Shard) -> None:
        self._plan, self._shard = plan, shard
        self._path = directory / shard.file
        self._partial = partial_path(self._path)
        self._next = shard.first
        record_bytes = layout_of(plan.dataset.spec).header_bytes + max_payload_bytes(plan.dataset.spec)
        map_size = (shard.count + 64) * (record_bytes + _PAGE_BYTES)
        try:
            self._env = lmdb.open(
                str(self._partial), subdir=False, lock=False, sync=False, map_size=map_size, mode=0o644, lib_version=0
            )
        except lmdb.Error as error:
            self._partial.unlink(missing_ok=True)
            raise write_error(self._path, error) from error

    def append(self, records: Sequence[bytes | memoryview]) -> None:
        """Writes the next chunk of records."""
        self._put([(key_of(self._next + number), record) for number, record in enumerate(records)])
        self._next += len(records)

    def finish(self, digest: int) -> StoredShard:
        """Puts the shard, whole and lasting, under its name; digest: the sum of its samples' digests."""
        try:
            return publish(self.close(digest), self._path.parent, self._shard)
        finally:
            self.abandon()

    def close(self, digest: int) -> Path:
        """Completes the partial file, for `publish`, and returns its path; digest: the sum of its samples' digests."""
        self._put([(PLAN_KEY, seal(self._plan, self._shard, digest))])
        self._env.close()
        return self._partial

    def abandon(self) -> None:
        """Removes what was written, unless it is finished."""
        self._env.close()
        self._partial.unlink(missing_ok=True)

    def _put(self, items: list[tuple[bytes, bytes | memoryview]]) -> None:
        try:
            with self._env.begin(write=True) as transaction:
                transaction.cursor().putmulti(items, append=True)
        except lmdb.Error as error:
            raise write_error(self._path, error) from error


def publish(partial: Path, directory: Path, shard: Shard) -> StoredShard:
    """Gives a complete partial file its name, once it is on the disk; raises `StreamingError`."""
    path = directory / shard.file
    try:
        commit(partial, path)
    except OSError as error:
        raise write_error(path, error) from error
    return StoredShard(shard, path.stat().st_size, digest_cache.compute(path, intact=True))


def seal(plan: Plan, shard: Shard, digest: int) -> bytes:
    """What a shard says about itself, with a checksum in front; `unseal` reads it."""
    text = json.dumps({**plan.to_mapping(), "shard": shard.file, "digest": f"{digest:032x}"}, sort_keys=True).encode()
    return xxhash.xxh3_64_digest(text) + text


def unseal(data: bytes) -> dict[str, Any] | None:
    """What `seal` packed, or None when it is damaged."""
    if len(data) < 8 or xxhash.xxh3_64_digest(data[8:]) != data[:8]:
        return None
    try:
        described = json.loads(data[8:])
    except (ValueError, RecursionError):
        return None
    return described if isinstance(described, dict) else None
