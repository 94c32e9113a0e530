"""A service over ten million samples beside one over ten thousand: time to the first batch, memory, reading rate.

    python -m tests.benchmarks.shards.bench_growth [--samples N] [--reads N]

The images are tiny, 16x16, and alike: what grows with the number of samples is measured, not what grows with pixels.
Besides: the manifest of 10^9 samples in 99,999 shards, which is what a split may have at most, without the shards.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from datagen_server.shards.manifest import MAX_SHARDS, Manifest, Plan, StoredShard
from datagen_server.shards.materialize import Found, write_manifest
from datagen_server.shards.record import layout_of, record_key
from datagen_server.shards.shard_writer import ShardWriter, chunk_size
from shared.client import connect
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode
from tests.support.memory import resident_mb
from tests.support.services import ServiceProcess

SPEC, FINGERPRINT, SPLIT = DatasetSpec(width=16, height=16), "0123456789abcdef" * 4, "train"
BATCH_SIZE, SMALL = 64, 10_000
PAPER_SAMPLES = 10**9
Figures = dict[str, float]


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000_000, help="default %(default)s")
    parser.add_argument("--reads", type=int, default=300_000, help="samples read, shuffled; default %(default)s")
    parser.add_argument("--manifest", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.manifest:
        print(json.dumps(_read_manifest(options.manifest)))
        return
    results: dict[str, Figures] = {}
    for name, count in (("small", SMALL), ("large", options.samples)):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            _write_shards(Path(folder), count)
            results[name] = {"samples": count, **_start_and_read(Path(folder), count, options.reads)}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results["paper"] = {"samples": PAPER_SAMPLES, **_manifest_of_many_shards(Path(folder))}
    _print(results)


def _plan(count: int, shard_size: int) -> Plan:
    dataset = Dataset(spec=SPEC, counts={SPLIT: count}, fingerprint=FINGERPRINT)
    return Plan(dataset=dataset, codec=Codec.ZSTD, shard_size=shard_size)


def _write_shards(directory: Path, count: int) -> None:
    plan, key, layout = _plan(count, 2**17), record_key(FINGERPRINT, SPLIT), layout_of(SPEC)
    image, label = encode(np.zeros(SPEC.image_shape, np.uint8), Codec.ZSTD), bytes(SPEC.max_length)
    found: Found = {}
    for shard in plan.shards:
        writer = ShardWriter(directory, plan, shard)
        for part in _parts(shard.indices, chunk_size(SPEC)):
            writer.append([layout.header(key, index, Codec.ZSTD, label, image) + image for index in part])
        found[shard] = writer.finish(digest=0), 0
    write_manifest(directory, plan, found)


def _parts(indices: range, size: int) -> Iterator[range]:
    yield from (indices[first : first + size] for first in range(0, len(indices), size))


def _start_and_read(directory: Path, count: int, reads: int) -> Figures:
    """Seconds and resident MB until the first batch, then after reading shuffled ones."""
    started, serve = time.monotonic(), ("datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--stop-with-stdin")
    with ServiceProcess(*serve, "--shards", str(directory)) as service, connect(service.target) as client:
        with client.stream(SPLIT, global_batch_size=BATCH_SIZE, num_steps=1) as stream:
            list(stream)
        first_batch_s, first_mb = time.monotonic() - started, resident_mb(service.process.pid)
        reading, read = time.monotonic(), 0
        while read < reads:
            num_steps = min(reads, count) // BATCH_SIZE
            with client.stream(SPLIT, epoch=1 + read, global_batch_size=BATCH_SIZE, num_steps=num_steps) as stream:
                read += sum(map(len, stream))
        return {
            "first_batch_s": round(first_batch_s, 2),
            "first_mb": round(first_mb, 1),
            "read_mb": round(resident_mb(service.process.pid), 1),
            "images_per_s": round(read / (time.monotonic() - reading)),
        }


def _manifest_of_many_shards(folder: Path) -> Figures:
    plan = _plan(PAPER_SAMPLES, -(-PAPER_SAMPLES // MAX_SHARDS))
    Manifest(plan, tuple(StoredShard(shard, 2**20, "0" * 64) for shard in plan.shards), "0" * 32).write(folder)
    command = [sys.executable, "-m", "tests.benchmarks.shards.bench_growth", "--manifest", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    (file,) = folder.iterdir()
    return {"manifest_mb": round(file.stat().st_size / 1e6, 1), **json.loads(done.stdout)}


def _read_manifest(folder: Path) -> Mapping[str, float]:
    before_mb, started = resident_mb(os.getpid()), time.perf_counter()
    manifest = Manifest.read(folder)
    seconds, grown_mb = time.perf_counter() - started, resident_mb(os.getpid()) - before_mb
    return {"shards": len(manifest.shards), "read_manifest_s": round(seconds, 2), "resident_mb": round(grown_mb)}


def _print(results: Mapping[str, Figures]) -> None:
    columns: Sequence[str] = ["first_batch_s", "first_mb", "read_mb", "images_per_s"]
    table = Table("samples", "first batch, s", "MB then", "MB after reading", "images/s", title="tiny images, shuffled")
    for name in ("small", "large"):
        table.add_row(f"{results[name]['samples']:,}", *(f"{results[name][column]:,g}" for column in columns))
    Console().print(table)
    paper = results["paper"]
    print(
        f"10^9 samples in {paper['shards']:,} shards: a manifest of {paper['manifest_mb']} MB, "
        f"read in {paper['read_manifest_s']} s, {paper['resident_mb']} MB in memory"
    )
    print(json.dumps({"benchmark": "growth", **results}))


if __name__ == "__main__":
    main()
