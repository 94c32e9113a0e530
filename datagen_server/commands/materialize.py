"""`materialize`: a data set rendered into shards."""

import argparse
import json
import time
from functools import partial

from datagen_server.commands.open_source import counts_of, drawable_spec_of
from datagen_server.commands.open_workers import open_workers
from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import Materialized, materialize, part_of
from datagen_server.shards.render_chunk import render_chunk
from shared.dataset.spec import Dataset
from shared.protocol.codec import Codec
from shared.system.progress import progress


def run(options: argparse.Namespace) -> int:
    """Writes shards; prints what there is now and what is missing."""
    render_spec = drawable_spec_of(options)
    spec, font_files = render_spec.spec, render_spec.font_files
    dataset = Dataset(spec=spec, counts=counts_of(options.counts), fingerprint=fingerprint(spec, font_files))
    plan = Plan(dataset=dataset, codec=Codec(options.codec), shard_size=options.shard_size)
    part = part_of(plan, options.splits, options.shard_range)
    workers = open_workers(options, render_chunk)
    started = time.monotonic()
    open_progress = partial(progress, "materialize", unit="samples")
    done = materialize(options.out, plan, part, lambda: workers, open_progress, font_files)
    if options.json:
        print(json.dumps(_as_json(done, time.monotonic() - started)))
    else:
        print(f"{options.out}: {_as_text(done, time.monotonic() - started)}")
    return 0


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
