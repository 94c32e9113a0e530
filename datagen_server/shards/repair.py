"""Rewrites a damaged shard: its intact records as they are, the damaged ones made again."""

from functools import cached_property
from pathlib import Path
from typing import Protocol

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Plan, Shard, StoredShard
from datagen_server.shards.pack_records import Rendered
from datagen_server.shards.record import DIGEST_MODULUS
from datagen_server.shards.record_scan import ScanResult
from datagen_server.shards.render_chunk import chunk_of, render_chunk
from datagen_server.shards.shard_file import ShardFile
from datagen_server.shards.shard_writer import ShardWriter, chunk_size
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.errors import DataLoss


class RecordMaker(Protocol):
    """Makes damaged records again, the same to the last byte."""

    def record(self, shard: Shard, index: int) -> Rendered:
        """One record; raises `DataLoss` saying why it cannot be had."""
        ...


class RecordRenderer:
    """Makes the records of rendered samples."""

    def __init__(self, plan: Plan, font_files: FontFiles = NO_FONTS) -> None:
        self._plan, self._font_files = plan, font_files

    def record(self, shard: Shard, index: int) -> Rendered:
        """See `RecordMaker`; raises `UsageError` for a missing font."""
        if self._plan.dataset.spec.is_imported:
            raise DataLoss("imported pictures cannot be rendered; name what they were imported from with --source")
        if not self._can_render:
            raise DataLoss("this renderer draws other pixels; restore the file from a copy")
        return render_chunk(chunk_of(self._plan, shard.split, range(index, index + 1), self._font_files))

    @cached_property
    def _can_render(self) -> bool:
        return fingerprint(self._plan.dataset.spec, self._font_files) == self._plan.dataset.fingerprint


class Repair:
    """Repairs the shards of one directory."""

    def __init__(self, directory: Path, plan: Plan, maker: RecordMaker) -> None:
        self._directory, self._plan, self._maker = directory, plan, maker

    def rewrite(self, shard: Shard, result: ScanResult) -> tuple[StoredShard, int]:
        """The repaired shard and the digest of its samples; raises `DataLoss` when a record cannot be made again."""
        writer = ShardWriter(self._directory, self._plan, shard)
        try:
            digest = self._fill(writer, shard, result)
        except BaseException:
            writer.abandon()
            raise
        return writer.finish(digest), digest

    def _fill(self, writer: ShardWriter, shard: Shard, result: ScanResult) -> int:
        file = ShardFile(self._directory / shard.file, self._plan, shard) if result.stored else None
        damaged, digest = set(result.damaged), result.digest
        size = chunk_size(self._plan.dataset.spec)
        for start in range(0, shard.count, size):
            records: list[bytes | memoryview] = []
            for index in shard.indices[start : start + size]:
                record = file.record(index) if file and index not in damaged else None
                if record is not None:
                    records.append(record)
                    continue
                made = self._maker.record(shard, index)
                records += made.records
                digest += made.digest
            writer.append(records)
        return digest % DIGEST_MODULUS
