"""`materialize`: a data set rendered into shards."""

import argparse
import json
import time
from contextlib import AbstractContextManager
from functools import partial

from datagen_server.commands.open_source import counts_of, drawable_spec_of
from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import Materialized, materialize, part_of
from datagen_server.workers.executors import Workers, dask_workers, process_workers
from shared.dataset.spec import Dataset
from shared.errors import UsageError
from shared.protocol.codec import Codec
from shared.system.command_line import progress
from shared.system.cpu_limit import num_cores


def run(options: argparse.Namespace) -> int:
    """Writes shards; prints what there is now and what is missing."""
    render_spec = drawable_spec_of(options)
    spec, font_files = render_spec.spec, render_spec.font_files
    dataset = Dataset(spec=spec, counts=counts_of(options.counts), fingerprint=fingerprint(spec, font_files))
    plan = Plan(dataset=dataset, codec=Codec(options.codec), shard_size=options.shard_size)
    part = part_of(plan, options.splits, options.shard_range)
    workers = _workers(options)
    started = time.monotonic()
    open_progress = partial(progress, "materialize", unit="samples")
    done = materialize(options.out, plan, part, lambda: workers, open_progress, font_files)
    if options.json:
        print(json.dumps(_as_json(done, time.monotonic() - started)))
    else:
        print(f"{options.out}: {_as_text(done, time.monotonic() - started)}")
    return 0


def _workers(options: argparse.Namespace) -> AbstractContextManager[Workers]:
    if options.executor == "dask":
        if options.workers or not options.scheduler:
            raise UsageError("--executor dask needs --scheduler ADDRESS, and has the workers that the scheduler has")
        return dask_workers(options.scheduler)
    if options.scheduler:
        raise UsageError("--scheduler is for --executor dask")
    return process_workers(options.workers or num_cores())


def _as_json(done: Materialized, seconds: float) -> dict[str, object]:
    return {
        "made": done.num_made,
        "kept": done.num_kept,
        "missing": done.num_missing,
        "samples": done.num_samples,
        "images_per_s": round(done.num_samples / seconds, 1),
        "digest": done.digest,
    }


def _as_text(done: Materialized, seconds: float) -> str:
    if done.digest and not done.num_made:
        return f"all {done.num_kept} shards are there already, nothing to do; digest {done.digest}"
    made = f"{done.num_made} shards made ({done.num_samples:,} samples, {done.num_samples / seconds:,.0f}/s)"
    if done.digest:
        return f"{made}, {done.num_kept} kept, complete; digest {done.digest}"
    rest = f"{done.num_missing} missing; make them here or copy them here, then run verify"
    return f"{made}, {done.num_kept} kept, {rest}"
