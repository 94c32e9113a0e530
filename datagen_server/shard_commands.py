"""What `materialize`, `verify` and `export` do: one function each, from parsed options to an exit code."""

import argparse
import json
import time
from contextlib import closing
from functools import partial

from datagen_server.exporting.export import export as export_samples
from datagen_server.options import counts_of, open_stored, open_workers
from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import Materialized, part_of
from datagen_server.shards.materialize import materialize as materialize_shards
from datagen_server.shards.verify import Verified
from datagen_server.shards.verify import verify as verify_shards
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.codec import Codec
from shared.system.command_line import progress


def materialize(options: argparse.Namespace) -> int:
    """Writes shards; says what there is now and what is missing."""
    spec = DatasetSpec(seed=options.seed)
    dataset = Dataset(spec=spec, counts=counts_of(options.counts), fingerprint=fingerprint(spec))
    plan = Plan(dataset=dataset, codec=Codec(options.codec), shard_size=options.shard_size)
    part = part_of(plan, options.splits, options.shard_range)
    workers = open_workers(options)
    started = time.monotonic()
    done = materialize_shards(
        options.out, plan, part, lambda: workers, partial(progress, "materialize", unit="samples")
    )
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


def verify(options: argparse.Namespace) -> int:
    """Names every damaged record; 1 when damage remains."""
    verified = verify_shards(
        options.directory, repair=options.repair, open_progress=partial(progress, "verify", unit="records")
    )
    damage_left = verified.num_damaged - verified.num_repaired
    if options.json:
        print(json.dumps(_verified_as_json(verified)))
    else:
        for finding in verified.findings:
            print(finding)
        print(f"{options.directory}: {_verified_as_text(verified)}")
    return 1 if damage_left else 0


def _verified_as_json(verified: Verified) -> dict[str, object]:
    return {
        "records": verified.num_records,
        "damaged": verified.num_damaged,
        "repaired": verified.num_repaired,
        "shards": verified.num_shards,
        "digest": verified.digest,
    }


def _verified_as_text(verified: Verified) -> str:
    found = f"{verified.num_records:,} records in {verified.num_shards} shards, {verified.num_damaged:,} damaged"
    if verified.num_damaged > verified.num_repaired:
        return f"{found}, {verified.num_repaired:,} repaired"
    repaired = f", {verified.num_repaired:,} repaired" if verified.num_damaged else ""
    return f"{found}{repaired}{', manifest written' if verified.joined else ''}; digest {verified.digest}"


def export(options: argparse.Namespace) -> int:
    """Writes samples in another project's layout."""
    with closing(open_stored(options.shards)) as source:
        num_samples = export_samples(
            source, options.out, options.layout, options.splits, partial(progress, "export", unit="samples")
        )
    told = {"samples": num_samples, "format": options.layout, "out": str(options.out)}
    print(json.dumps(told) if options.json else f"{options.out}: {num_samples:,} samples as {options.layout}")
    return 0
