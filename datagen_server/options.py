"""What options mean that several commands take: which source, which splits, which workers. Raises `UsageError`."""

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from datagen_server.shards.manifest import MANIFEST_NAME
from datagen_server.shards.render_chunk import Workers, dask_workers, process_workers
from datagen_server.sources.ocr_lmdb_source import OcrLmdbSource, ocr_lmdb_splits
from datagen_server.sources.rendered_source import RenderedSource
from datagen_server.sources.sample_source import SampleSource
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.spec import DEFAULT_COUNTS, DatasetSpec
from shared.errors import UsageError
from shared.system.cpu_limit import num_cores

_LOG = logging.getLogger(__name__)


@contextmanager
def open_source(options: argparse.Namespace, num_workers: int | None = None) -> Iterator[SampleSource]:
    """Where samples come from: stored, or rendered by `num_workers` processes (default: one for each core)."""
    source = _stored(options) if _are_stored(options) else _rendered(options, num_workers)
    try:
        yield source
    finally:
        source.close()


def open_stored(directory: Path) -> SampleSource:
    """The source of a directory of shards, or of OCR LMDBs."""
    return OcrLmdbSource(directory) if ocr_lmdb_splits(directory) else ShardSource(directory)


def open_workers(options: argparse.Namespace) -> AbstractContextManager[Workers]:
    """Who renders for `materialize`."""
    if options.executor == "dask":
        if options.workers or not options.scheduler:
            raise UsageError("--executor dask needs --scheduler ADDRESS, and has the workers that the scheduler has")
        return dask_workers(options.scheduler)
    if options.scheduler:
        raise UsageError("--scheduler is for --executor dask")
    return process_workers(options.workers or num_cores())


def counts_of(pairs: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    """The size of every split, the default ones included."""
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"--count must name a split once, got {min(twice)} twice")
    return {**DEFAULT_COUNTS, **dict(pairs)}


def _are_stored(options: argparse.Namespace) -> bool:
    if options.or_render and not options.shards:
        raise UsageError("--or-render is for --shards DIR, and without --shards all is rendered")
    if options.or_render and not _holds_samples(options.shards):
        _LOG.info("%s holds no finished shards: rendering", options.shards)
        return False
    return bool(options.shards)


def _holds_samples(directory: Path) -> bool:
    try:
        return (directory / MANIFEST_NAME).is_file() or bool(ocr_lmdb_splits(directory))
    except OSError as error:  # Not to be read is not the same as not to be there.
        raise UsageError(f"cannot read {directory}: {error.strerror}") from error


def _stored(options: argparse.Namespace) -> SampleSource:
    for name, value in (("--count", options.counts), ("--workers", options.workers)):
        if value and not options.or_render:
            raise UsageError(f"{name} is for rendering; with --shards everything is there already")
    return open_stored(options.shards)


def _rendered(options: argparse.Namespace, num_workers: int | None) -> SampleSource:
    num_workers = num_workers or options.workers or num_cores()
    return RenderedSource(DatasetSpec(seed=options.seed), counts_of(options.counts), num_workers)
