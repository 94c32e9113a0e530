"""Rewrites a damaged shard: its intact records as they are, the damaged ones rendered again."""

from functools import cached_property
from pathlib import Path

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Plan, Shard, StoredShard
from datagen_server.shards.record import DIGEST_MODULUS
from datagen_server.shards.record_scan import ScanResult
from datagen_server.shards.render_chunk import chunk_of, render_chunk
from datagen_server.shards.shard_file import ShardFile
from datagen_server.shards.shard_writer import ShardWriter, chunk_size
from shared.dataset.fonts import NO_FONTS, FontFiles


class Repair:
    """Repairs the shards of one directory."""

    def __init__(self, directory: Path, plan: Plan, font_files: FontFiles = NO_FONTS) -> None:
        self._directory, self._plan, self._font_files = directory, plan, font_files

    @cached_property
    def can_render(self) -> bool:
        """Whether this renderer draws the very pixels of the shards; raises `UsageError` for a missing font."""
        dataset = self._plan.dataset
        if dataset.spec.is_imported:
            return False
        return fingerprint(dataset.spec, self._font_files) == dataset.fingerprint

    def rewrite(self, shard: Shard, result: ScanResult) -> tuple[StoredShard, int] | None:
        """The repaired shard and the digest of its samples; None when records are lost and cannot be rendered."""
        if result.damaged and not self.can_render:
            return None
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
                rendered = render_chunk(chunk_of(self._plan, shard.split, range(index, index + 1), self._font_files))
                records += rendered.records
                digest += rendered.digest
            writer.append(records)
        return digest % DIGEST_MODULUS
