"""Materialising against rendering alone: how much of what the cores can render ends up in shards.

    python -m tests.benchmarks.rendering.bench_materialize [--samples N] [--workers N] [--codec raw|zstd|png]

Rendering alone is one process that throws its pictures away, before and after, in the same run. `share of cores` is the
wall clock's answer and needs a quiet machine; `share of CPU` compares CPU seconds and holds on a busy one too, as do
`images per CPU s`, which times the cores is what a quiet machine makes. `share of renderers` is the part of what as
many such processes render when they run at once, for cores that share a cache and a clock are slower together than one
alone. At the end `verify` reads everything back.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards import DEFAULT_CODEC
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import materialize
from datagen_server.shards.verify import verify
from datagen_server.workers.executors import process_workers
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.codec import Codec
from shared.system.progress import progress
from tests.benchmarks.rendering.alone import render_alone, render_together


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60_000, help="default %(default)s, a sixth of them in test")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    parser.add_argument("--codec", choices=[codec.value for codec in Codec], default=DEFAULT_CODEC.value)
    options = parser.parse_args()
    spec, num_test = DatasetSpec(), options.samples // 6
    counts = {"train": options.samples - num_test, "test": num_test}
    plan = Plan(dataset=Dataset(spec=spec, counts=counts, fingerprint=fingerprint(spec)), codec=Codec(options.codec))
    with tempfile.TemporaryDirectory(dir=".") as folder:
        before = render_alone(spec, options.samples // 30)
        wall_s, cpu_s = _materialize(Path(folder), plan, options.workers)
        after = render_alone(spec, options.samples // 30)
        together = render_together(spec, options.samples // 30, options.workers)
        started = time.perf_counter()
        verified = verify(Path(folder), open_progress=partial(progress, "verify", unit="records"))
        verify_s = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).glob("*.lmdb"))
    alone_wall_s, alone_cpu_s = ((first + second) / 2 for first, second in zip(before, after, strict=True))
    result = {
        "benchmark": "materialize",
        "codec": options.codec,
        "samples": options.samples,
        "workers": options.workers,
        "images_per_s": round(options.samples / wall_s),
        "images_per_cpu_s": round(options.samples / cpu_s),
        "render_images_per_s_per_core": round(1 / alone_wall_s),
        "render_images_per_s_all_at_once": round(together),
        "share_of_cores": round(options.samples / wall_s * alone_wall_s / options.workers, 3),
        "share_of_cpu": round(alone_cpu_s * options.samples / cpu_s, 3),
        "share_of_renderers": round(options.samples / wall_s / together, 3),
        "bytes_per_image": round(size / options.samples),
        "verify_images_per_s": round(options.samples / verify_s),
        "damaged": verified.num_damaged,
    }
    table = Table("", "figure", title=f"{options.samples:,} samples, {options.workers} workers, {options.codec}")
    for name, value in result.items():
        table.add_row(name.replace("_", " "), f"{value:,}" if not isinstance(value, str) else value)
    Console().print(table)
    print(json.dumps(result))


def _materialize(directory: Path, plan: Plan, num_workers: int) -> tuple[float, float]:
    """Wall and CPU seconds, those of all processes and of their start included."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    workers = partial(process_workers, num_workers)
    materialize(directory, plan, plan.shards, workers, partial(progress, "materialize", unit="samples"))
    return time.perf_counter() - wall, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
