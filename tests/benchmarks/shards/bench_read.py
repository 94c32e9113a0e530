"""Shards to memory on one core: shuffled batches of 64 from the page cache, every checksum compared, codec by codec.

    python -m tests.benchmarks.shards.bench_read [--samples N] [--batches N] [--rounds N]

`read` is what the service does, `decode` what a reader does with it; CPU seconds are for 100,000 images. The last row
reads the same raw records through LMDB's own memory map, unchecked: what the map would give, at the price that a file
cut off, or a bad sector, ends the process. All take turns; the rates are the medians over the rounds.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import lmdb
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import materialize
from datagen_server.shards.record import layout_of
from datagen_server.shards.shard_writer import key_of
from datagen_server.sources.shard_source import ShardSource
from datagen_server.workers.executors import process_workers
from shared.dataset.order import EpochOrder
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode

SPEC = DatasetSpec()
SPLIT = "train"
BATCH = 64
MAP = "raw, LMDB's map, unchecked"

Indices = NDArray[np.uint64]
Images = list[memoryview]


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=6000, help="default %(default)s")
    parser.add_argument("--batches", type=int, default=300, help="in each round; default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    options = parser.parse_args()
    order = EpochOrder(options.samples)
    starts = range(0, options.samples - BATCH + 1, BATCH)
    batches = [order.indices(np.arange(start, start + BATCH)) for start in starts]
    batches = (batches * (options.batches // len(batches) + 1))[: options.batches]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        readers = {codec.value: _reader(_build(Path(folder) / codec.value, codec, options.samples)) for codec in Codec}
        readers[MAP] = _map_reader(Path(folder) / Codec.RAW.value)
        rounds = [{name: _seconds(read, batches) for name, read in readers.items()} for _ in range(options.rounds)]
        encoded = {codec: readers[codec.value](batches[0]) for codec in Codec}
    seconds = {name: statistics.median(one[name] for one in rounds) for name in readers}
    sizes = {codec.value: sum(map(len, images)) / BATCH for codec, images in encoded.items()}
    decoding = {codec.value: _decode_seconds(images, codec) for codec, images in encoded.items()}
    _print(seconds, sizes, decoding)


def _print(seconds: dict[str, float], sizes: dict[str, float], decoding: dict[str, float]) -> None:
    table = Table("codec", "bytes/image", "read images/s", "read CPU s", "decode CPU s", title="from shards to memory")
    for name, each in seconds.items():
        told, decode_s = (f"{sizes[name]:,.0f}", f"{decoding[name] * 1e5:.2f}") if name in sizes else ("", "")
        table.add_row(name, told, f"{1 / each:,.0f}", f"{each * 1e5:.2f}", decode_s)
    Console().print(table)
    result: dict[str, object] = {"benchmark": "read", "raw_lmdb_map_images_per_s": round(1 / seconds[MAP])}
    for name, size in sizes.items():
        result[f"{name}_bytes_per_image"] = round(size)
        result[f"{name}_images_per_s"] = round(1 / seconds[name])
        result[f"{name}_decode_images_per_s"] = round(1 / decoding[name])
    print(json.dumps(result))


def _build(directory: Path, codec: Codec, num_samples: int) -> Path:
    dataset = Dataset(spec=SPEC, counts={SPLIT: num_samples}, fingerprint=fingerprint(SPEC))
    plan = Plan(dataset=dataset, codec=codec, shard_size=2048)
    materialize(directory, plan, plan.shards, partial(process_workers, os.cpu_count() or 1))
    return directory


def _reader(directory: Path) -> Callable[[Indices], Images]:
    source = ShardSource(directory)
    codec = source.codecs[0]

    def read(indices: Indices) -> Images:
        records = source.read(SPLIT, indices, codec).result()
        joined = memoryview(records.payloads[0])
        sizes = records.image_sizes.tolist() or [SPEC.image_bytes] * len(indices)
        return [joined[start:end] for start, end in pairwise(np.cumsum([0, *sizes]).tolist())]

    return read


def _map_reader(directory: Path) -> Callable[[Indices], Images]:
    paths = sorted(directory.glob("*.lmdb"))
    header_bytes = layout_of(SPEC).header_bytes
    environments = [lmdb.open(str(path), subdir=False, readonly=True, lock=False, lib_version=0) for path in paths]

    def read(indices: Indices) -> Images:
        images = np.empty((len(indices), SPEC.image_bytes), np.uint8)
        for image, index in zip(images, indices.tolist(), strict=True):
            with environments[index // 2048].begin(buffers=True) as transaction:
                image[:] = np.frombuffer(transaction.get(key_of(index)), np.uint8, offset=header_bytes)
        return [image.data for image in images]

    return read


def _seconds(read: Callable[[Indices], Images], batches: Sequence[Indices]) -> float:
    """CPU seconds for an image."""
    started = time.process_time()
    for indices in batches:
        read(indices)
    return (time.process_time() - started) / len(batches) / BATCH


def _decode_seconds(images: Images, codec: Codec) -> float:
    """CPU seconds for an image."""
    started, rounds = time.process_time(), 20
    for _ in range(rounds):
        decode(images, codec, SPEC.image_shape)
    return (time.process_time() - started) / rounds / len(images)


if __name__ == "__main__":
    main()
