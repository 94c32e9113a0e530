"""Checks every record in a directory of shards, lists the damaged ones, repairs them on request, and joins parts.

Where all shards are there but no manifest, because several hosts made them, `verify` writes the manifest if all are
intact.

Note: repair rewrites the whole shard, from its intact records and newly rendered ones. Equal records in equal
order make equal files, so the result is what it was, byte for byte. Only another version of LMDB or Zstandard makes
another file of the same samples, and then the manifest is brought up to date.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datagen_server.shards.manifest import MANIFEST_NAME, Manifest, Plan, Shard, StoredShard, is_shard_name
from datagen_server.shards.materialize import Found, OpenProgress, quiet, write_manifest
from datagen_server.shards.record_scan import ScanResult, scan
from datagen_server.shards.repair import RecordMaker, RecordRenderer, Repair
from datagen_server.shards.shard_file import read_description
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.errors import DataLoss, StreamingError, UsageError
from shared.system.directory_lock import lock_directory
from shared.system.limits import num_cores

_MAX_THREADS = 8
_NAMES_SHOWN = 3

OpenMaker = Callable[[Path, Plan], AbstractContextManager[RecordMaker]]


@dataclass(frozen=True)
class Finding:
    """A shard with damage in it."""

    shard: Shard
    indices: tuple[int, ...]
    "Of the records that are damaged or missing; empty when only bytes outside of all records have changed."
    repaired: bool
    reason: str = ""
    "Why it could not be repaired; empty if it was, or nobody tried."

    @property
    def count(self) -> int:
        """Damaged records; damage outside of all of them counts as one."""
        return len(self.indices) or 1

    def __str__(self) -> str:
        records = f"records {_ranges(self.indices)} of {self.shard.split}"
        what = records if self.indices else "bytes outside of all records"
        outcome = "repaired" if self.repaired else f"damaged ({self.reason})" if self.reason else "damaged"
        return f"{self.shard.file}: {what}: {outcome}"


@dataclass(frozen=True)
class Verified:
    """What was found and done."""

    num_records: int
    num_shards: int
    findings: tuple[Finding, ...]
    digest: str
    "Of all samples; empty while damage remains."
    joined: bool
    "Whether the manifest was missing and has been written."

    @property
    def num_damaged(self) -> int:
        """Found, whether repaired or not."""
        return sum(finding.count for finding in self.findings)

    @property
    def num_repaired(self) -> int:
        """Of `num_damaged`."""
        return sum(finding.count for finding in self.findings if finding.repaired)


def verify(
    directory: Path,
    *,
    repair: bool = False,
    font_files: FontFiles = NO_FONTS,
    open_progress: OpenProgress = quiet,
    open_maker: OpenMaker | None = None,
) -> Verified:
    """Reads everything once. Raises `UsageError` when there are no shards, `StreamingError` while some are missing.

    open_maker: what makes damaged records again; None: the renderer.
    """
    with lock_directory(directory):
        manifest = _manifest(directory, repair)
        plan = manifest.plan if manifest else _plan_of_parts(directory)
        renderer = RecordRenderer(plan, font_files)
        with ExitStack() as stack:
            maker = stack.enter_context(open_maker(directory, plan)) if open_maker else renderer
            advance = stack.enter_context(open_progress(sum(shard.count for shard in plan.shards)))
            repairer = Repair(directory, plan, maker) if repair else None
            found, findings = _scan_all(directory, plan, manifest, repairer, advance)
        digest = ""
        if len(found) == len(plan.shards):
            digest = _update_manifest(directory, plan, manifest, found)
    num_records = sum(plan.dataset.counts.values())
    return Verified(num_records, len(plan.shards), tuple(findings), digest, joined=bool(digest) and manifest is None)


def _scan_all(
    directory: Path, plan: Plan, manifest: Manifest | None, repair: Repair | None, advance: Callable[[int], None]
) -> tuple[Found, list[Finding]]:
    """The shards that are intact in the end, and the damage that was found."""
    listed = dict(zip(plan.shards, manifest.shards, strict=True)) if manifest else {}
    found: Found = {}
    findings = []
    with ThreadPoolExecutor(min(_MAX_THREADS, num_cores())) as threads:
        results = threads.map(partial(scan, directory, plan), plan.shards)
        for shard, result in zip(plan.shards, results, strict=True):
            finished = _finished(result, listed.get(shard))
            if not finished:
                finished, reason = _repaired(repair, shard, result)
                findings.append(Finding(shard, result.damaged, repaired=finished is not None, reason=reason))
            if finished:
                found[shard] = finished
            advance(shard.count)
    return found, findings


def _repaired(repair: Repair | None, shard: Shard, result: ScanResult) -> tuple[tuple[StoredShard, int] | None, str]:
    """The repaired shard, or why it is none."""
    if repair is None:
        return None, ""
    try:
        return repair.rewrite(shard, result), ""
    except DataLoss as error:
        return None, str(error)


def _finished(result: ScanResult, listed: StoredShard | None) -> tuple[StoredShard, int] | None:
    """The shard's entry and digest if it is intact and as `listed` in the manifest (None: not listed)."""
    if result.stored and result.intact and listed in (None, result.stored):
        return result.stored, result.digest
    return None


def _manifest(directory: Path, repair: bool) -> Manifest | None:
    """None when there is none, or when it is damaged and `repair` may write it again."""
    if not (directory / MANIFEST_NAME).exists():
        return None
    try:
        return Manifest.read(directory)
    except DataLoss:
        if not repair:
            raise
        return None


def _plan_of_parts(directory: Path) -> Plan:
    """The plan that all shards in `directory` state, once all of them are there."""
    names = sorted(path.name for path in directory.iterdir() if is_shard_name(path.name))
    descriptions = {name: read_description(directory / name) for name in names}
    plans = {name: Plan.from_mapping(description) for name, description in descriptions.items() if description}
    if not plans:
        raise UsageError(f"{directory} holds no shards; name a directory that materialize has written to")
    first_name, plan = next(iter(plans.items()))
    for name, other in plans.items():
        if difference := plan.difference(other):
            raise UsageError(f"{name} is of another data set than {first_name} ({difference}); keep them apart")
    if missing := [shard.file for shard in plan.shards if shard.file not in names]:
        shown = ", ".join(missing[:_NAMES_SHOWN]) + (", ..." if len(missing) > _NAMES_SHOWN else "")
        problem = f"{directory} is not complete: {len(missing)} of {len(plan.shards)} shards are missing ({shown})"
        raise StreamingError(f"{problem}; materialize them here, or copy them from where they were made")
    return plan


def _update_manifest(directory: Path, plan: Plan, manifest: Manifest | None, found: Found) -> str:
    """Writes the manifest if it is missing or differs; returns the digest of all samples."""
    if manifest and all(found[stored.shard][0] == stored for stored in manifest.shards):
        return manifest.digest
    return write_manifest(directory, plan, found)


def _ranges(indices: Sequence[int]) -> str:
    """'3, 7-9' for 3, 7, 8, 9."""
    starts = [index for number, index in enumerate(indices) if not number or indices[number - 1] != index - 1]
    ends = [index for number, index in enumerate(indices, 1) if number == len(indices) or indices[number] != index + 1]
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in zip(starts, ends, strict=True))
