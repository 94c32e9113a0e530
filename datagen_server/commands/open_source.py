"""Options to a source of samples: rendered, or stored in a directory. To add a source, choose it here."""

import argparse
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from datagen_server.rendering.font_check import check_drawable
from datagen_server.shards.manifest import MANIFEST_NAME
from datagen_server.sources.rendered_source import RenderedSource
from datagen_server.sources.sample_source import SampleSource
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.spec import DEFAULT_COUNTS
from shared.dataset.spec_options import RenderSpec, check_no_spec_options, spec_of
from shared.errors import UsageError
from shared.system.limits import num_cores

_OCR_LMDB_NAME = "data.mdb"
_LOG = logging.getLogger(__name__)


@contextmanager
def open_source(options: argparse.Namespace, num_workers: int | None = None) -> Iterator[SampleSource]:
    """The source that the options name, closed at the end of the block; raises `UsageError`.

    num_workers: rendering processes, unless the samples are stored; None: what the options say, or one for each core.
    """
    source = _stored(options) if _is_stored(options) else _rendered(options, num_workers)
    try:
        yield source
    finally:
        source.close()


def open_stored(directory: Path, font_files: FontFiles = NO_FONTS) -> SampleSource:
    """The source of a directory of shards; raises `UsageError`, for an OCR LMDB with the command that makes shards.

    font_files: of the spec's fonts, to render damaged records again.
    """
    if not os.path.exists(directory / MANIFEST_NAME) and _holds_ocr_lmdb(directory):
        command = f"python -m datagen_server import {directory} --out shards"
        raise UsageError(f"{directory} holds an OCR LMDB and no shards; make some of it: {command}")
    return ShardSource(directory, font_files=font_files)


def drawable_spec_of(options: argparse.Namespace) -> RenderSpec:
    """The spec that the options describe; raises `UsageError` for one that cannot be, or cannot be drawn."""
    render_spec = spec_of(options)
    check_drawable(render_spec)
    return render_spec


def counts_of(pairs: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    """The size of every split, the default splits included; raises `UsageError` for a split named twice."""
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"--count must name a split once, got {min(twice)} twice")
    return {**DEFAULT_COUNTS, **dict(pairs)}


def _is_stored(options: argparse.Namespace) -> bool:
    if options.or_render and not options.shards:
        raise UsageError("--or-render is for --shards DIR, and without --shards all is rendered")
    if options.or_render and not _holds_samples(options.shards):
        _LOG.info("%s holds no finished shards: rendering", options.shards)
        return False
    return bool(options.shards)


def _holds_samples(directory: Path) -> bool:
    try:
        return (directory / MANIFEST_NAME).is_file() or _holds_ocr_lmdb(directory)
    except OSError as error:  # A directory that cannot be read may hold samples.
        raise UsageError(f"cannot read {directory}: {error.strerror}") from error


def _holds_ocr_lmdb(directory: Path) -> bool:
    return any(True for depth in ("", "*/", "*/*/") for _ in directory.glob(f"{depth}{_OCR_LMDB_NAME}"))


def _stored(options: argparse.Namespace) -> SampleSource:
    for name, value in (("--count", options.counts), ("--workers", options.workers)):
        if value and not options.or_render:
            raise UsageError(f"{name} is for rendering; with --shards everything is there already")
    if not options.or_render:
        check_no_spec_options(options, "--shards")
    return open_stored(options.shards, FontFiles.read(options.fonts))


def _rendered(options: argparse.Namespace, num_workers: int | None) -> SampleSource:
    num_workers = num_workers or options.workers or num_cores()
    render_spec = drawable_spec_of(options)
    return RenderedSource(render_spec.spec, counts_of(options.counts), num_workers, render_spec.font_files)
