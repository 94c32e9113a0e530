"""Renders a data set into shards. However it ends, finished shards stay, and running it again makes only the others.

    survey the directory -> keep finished shards -> render chunks, write shards -> manifest, once all shards are there

Note: the process that writes shards renders nothing. While one shard is written to the disk and hashed, the next is
filled.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datagen_server.shards.manifest import MANIFEST_NAME, Manifest, Plan, Shard, StoredShard, is_shard_name
from datagen_server.shards.pack_records import Rendered
from datagen_server.shards.record import DIGEST_MODULUS
from datagen_server.shards.record_scan import finished
from datagen_server.shards.render_chunk import Chunk, chunk_of, render_chunk
from datagen_server.shards.shard_file import read_description
from datagen_server.shards.shard_writer import ShardWriter, chunk_size
from datagen_server.workers.executors import Workers
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.errors import DataLoss, NotFound, UsageError
from shared.system.atomic_file import remove_partial_files
from shared.system.directory_lock import lock_directory, make_directory

Found = dict[Shard, tuple[StoredShard, int]]
OpenProgress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"Called with the total; gives the function to call with each amount done."
OpenRecords = Callable[[Sequence[Shard]], AbstractContextManager[Iterator[Rendered]]]
"Called with the shards to be written; gives their records in order, those of one transaction at a time."
WriteShards = Callable[[Sequence[Shard], Callable[[int], None]], Found]
"""Called with the shards to be written, of which there may be none, and with what to call with each number of samples
that were."""


@dataclass(frozen=True)
class Materialized:
    """The outcome."""

    digest: str
    "Of all samples; empty while shards are missing."
    num_made: int
    "Shards written now."
    num_kept: int
    "Shards that had been finished before."
    num_missing: int
    "Shards of the set that are not there, because they were not asked for."
    num_samples: int
    "Samples written now."


def part_of(plan: Plan, splits: Collection[str], shard_range: range | None) -> tuple[Shard, ...]:
    """The shards of `splits` (none: all), and of these the ones in `shard_range`; `UsageError` when that is none."""
    for name in splits:
        if name not in plan.dataset.counts:
            raise NotFound(f"there is no split {name}; this data set has {', '.join(plan.dataset.counts)}")
    shards = [shard for shard in plan.shards if not splits or shard.split in splits]
    if shard_range is None:
        return tuple(shards)
    if not 0 <= shard_range.start < shard_range.stop <= len(shards):
        problem = f"shard range must lie within 0:{len(shards)} and not be empty"
        raise UsageError(f"{problem}, got {shard_range.start}:{shard_range.stop}")
    return tuple(shards[shard_range.start : shard_range.stop])


@contextmanager
def quiet(_: int) -> Iterator[Callable[[int], None]]:
    """Shows no progress."""
    yield lambda _: None


def materialize(
    directory: Path,
    plan: Plan,
    part: Sequence[Shard],
    open_workers: Callable[[], AbstractContextManager[Workers]],
    open_progress: OpenProgress = quiet,
    font_files: FontFiles = NO_FONTS,
) -> Materialized:
    """Writes the unfinished shards of `part` into `directory`, and the manifest once all shards of `plan` are there.

    open_workers, open_progress: entered only if there is work. font_files: of the spec's fonts.
    Raises `UsageError` when the directory holds something else.
    """
    make_directory(directory)
    with lock_directory(directory):
        write = partial(write_records, directory, plan, partial(_rendering, plan, open_workers, font_files))
        return write_shards(directory, plan, part, write, open_progress)


def write_shards(
    directory: Path,
    plan: Plan,
    part: Sequence[Shard],
    write: WriteShards,
    open_progress: OpenProgress = quiet,
    *,
    beside: Collection[str] = (),
) -> Materialized:
    """What `materialize` does, with shards from anywhere, in a directory that the caller has locked.

    beside: names of other files that may lie there.
    """
    if done := _complete(directory, plan):
        return done
    found = survey(directory, plan, beside)
    num_kept, todo = len(found), [shard for shard in part if shard not in found]
    num_samples = sum(shard.count for shard in todo)
    with (open_progress if todo else quiet)(num_samples) as advance:
        found |= write(todo, advance)
    digest = write_manifest(directory, plan, found) if len(found) == len(plan.shards) else ""
    return Materialized(digest, len(todo), num_kept, len(plan.shards) - len(found), num_samples)


def survey(directory: Path, plan: Plan, beside: Collection[str] = ()) -> Found:
    """The finished shards; removes what killed runs left. Raises `UsageError` when `directory` holds something else.

    beside: names of files that belong there too.
    """
    names = sorted(os.listdir(directory))
    ours = {shard.file for shard in plan.shards}
    for name in names:
        if is_shard_name(name):
            _check_same_plan(directory, name, plan)
    strange = [name for name in names if not name.startswith(".") and name not in (*ours, *beside, "lost+found")]
    if strange and not ours & set(names):
        problem = f"{directory} holds {strange[0]}, which is no part of a set of shards"
        raise UsageError(f"{problem}; name an empty directory")
    remove_partial_files(directory, {MANIFEST_NAME, *ours, *beside}.__contains__)
    entries = ((shard, finished(directory, plan, shard)) for shard in plan.shards)
    return {shard: entry for shard, entry in entries if entry}


def write_manifest(directory: Path, plan: Plan, found: Found) -> str:
    """Completes the set; returns the digest of all its samples."""
    digest = f"{sum(digest for _, digest in found.values()) % DIGEST_MODULUS:032x}"
    Manifest(plan, tuple(found[shard][0] for shard in plan.shards), digest).write(directory)
    return digest


def _complete(directory: Path, plan: Plan) -> Materialized | None:
    """The outcome when `directory` holds the complete set already; None otherwise."""
    if not (directory / MANIFEST_NAME).exists():
        return None
    manifest = Manifest.read(directory)
    if difference := plan.difference(manifest.plan):
        raise UsageError(_another(directory, difference))
    for stored in manifest.shards:
        if not (directory / stored.shard.file).exists():
            remedy = f"`python -m datagen_server verify --repair {directory}` makes it again"
            raise DataLoss(f"{directory} was complete, but {stored.shard.file} is gone; {remedy}")
    return Materialized(manifest.digest, 0, len(plan.shards), 0, 0)


def _check_same_plan(directory: Path, name: str, plan: Plan) -> None:
    """A shard of another plan is never overwritten; a file that is no readable shard is."""
    description = read_description(directory / name)
    difference = plan.difference(Plan.from_mapping(description)) if description else ""
    if difference:
        raise UsageError(_another(directory, difference))


def _another(directory: Path, difference: str) -> str:
    return f"{directory} holds shards of another data set ({difference}); name another directory"


@contextmanager
def _rendering(
    plan: Plan,
    open_workers: Callable[[], AbstractContextManager[Workers]],
    font_files: FontFiles,
    todo: Sequence[Shard],
) -> Iterator[Iterator[Rendered]]:
    with open_workers() as workers, closing(workers.map(render_chunk, _chunks(plan, todo, font_files))) as rendered:
        yield rendered


def write_records(
    directory: Path, plan: Plan, open_records: OpenRecords, todo: Sequence[Shard], advance: Callable[[int], None]
) -> Found:
    """Fills one shard after the other in this process."""
    if not todo:
        return {}
    finishing: dict[Shard, tuple[Future[StoredShard], int]] = {}
    last: Future[StoredShard] | None = None
    with open_records(todo) as records, ThreadPoolExecutor(1) as finisher:
        for shard in todo:
            writer = ShardWriter(directory, plan, shard)
            try:
                digest = _fill(writer, shard, records, advance)
                if last:
                    last.result()
            except BaseException:
                writer.abandon()
                raise
            last = finisher.submit(writer.finish, digest)
            finishing[shard] = last, digest
    return {shard: (future.result(), digest) for shard, (future, digest) in finishing.items()}


def _fill(writer: ShardWriter, shard: Shard, rendered: Iterator[Rendered], advance: Callable[[int], None]) -> int:
    """Writes the chunks of one shard; returns the sum of the samples' digests."""
    num_written = digest = 0
    while num_written < shard.count:
        chunk = next(rendered)
        records = chunk.records
        writer.append(records)
        advance(len(records))
        num_written += len(records)
        digest += chunk.digest
    return digest % DIGEST_MODULUS


def _chunks(plan: Plan, shards: Sequence[Shard], font_files: FontFiles) -> Iterator[Chunk]:
    size = chunk_size(plan.dataset.spec)
    for shard in shards:
        for start in range(0, shard.count, size):
            yield chunk_of(plan, shard.split, shard.indices[start : start + size], font_files)
