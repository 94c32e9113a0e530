"""What a fleet of trainers needs of the service: measured for one stream and one core, then carried forward on paper.

    python -m tests.benchmarks.clients.bench_capacity [--images N] [--streams N]

Measured: processor time of the service (its rendering processes included) and bytes for each image, and memory for each
stream whose reader has stopped, which is the dearest kind. Carried forward: ranks that each take 427 images/s, the
published example's speed on a V100. Note: cores are counted as fully used; give
a third more in earnest.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import grpc
from rich.console import Console
from rich.table import Table

from datagen_server.service.settings import DEFAULT_MAX_STREAMS
from shared.client import connect
from shared.client.channel import OPTIONS
from shared.client.service import Service
from shared.protocol.codec import Codec
from shared.protocol.messages import request_message
from shared.protocol.request import StreamRequest
from tests.benchmarks.streaming.sides import materialized
from tests.datagen_server.processes import children
from tests.support.memory import resident_mb
from tests.support.services import ServiceProcess, open_stream

RANKS = 8, 64, 10_000
IMAGES_PER_S = 427
CORES_PER_REPLICA = 16
GBIT_PER_REPLICA = 25
BATCH_SIZE = 64
_NUM_SHARD_SAMPLES = 8192
_SETTLE_S = 5.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """One source in one codec."""

    source: str
    codec: str
    cpu_s_per_1000: float
    bytes_per_image: float
    process_mb: float
    "Of the service with all its processes, before the streams that stop."
    stream_mb: float


@dataclass(frozen=True)
class Need:
    """What so many ranks ask for."""

    ranks: int
    source: str
    codec: str
    images_per_s: int
    cores: float
    gbit_per_s: float
    replicas: int
    memory_gb: float


def main() -> None:
    """Prints two tables, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=int, default=8192, help="rendered; ten times as many read; default %(default)s"
    )
    parser.add_argument("--streams", type=int, default=16, help="that stop, for memory; default %(default)s")
    options = parser.parse_args()
    measured = list(_measure_all(options.images, options.streams))
    needs = [carried_forward(one, ranks) for ranks in RANKS for one in measured]
    _show("measured", measured)
    _show(f"carried forward: {IMAGES_PER_S} images/s a rank, replicas of {CORES_PER_REPLICA} cores", needs)
    result = {"measured": [asdict(one) for one in measured], "needs": [asdict(one) for one in needs]}
    print(json.dumps({"benchmark": "capacity", **result}))


def carried_forward(one: Measured, ranks: int) -> Need:
    """Linear in the ranks; replicas by whatever runs out first: places for streams, cores or network."""
    rate = ranks * IMAGES_PER_S
    cores = rate * one.cpu_s_per_1000 / 1000
    gbit_per_s = rate * one.bytes_per_image * 8 / 1e9
    replicas = max(
        math.ceil(cores / CORES_PER_REPLICA),
        math.ceil(gbit_per_s / GBIT_PER_REPLICA),
        math.ceil(ranks / DEFAULT_MAX_STREAMS),
    )
    return Need(
        ranks=ranks,
        source=one.source,
        codec=one.codec,
        images_per_s=rate,
        cores=round(cores, 2),
        gbit_per_s=round(gbit_per_s, 2),
        replicas=replicas,
        memory_gb=round((replicas * one.process_mb + ranks * one.stream_mb) / 1024, 1),
    )


def _measure_all(num_images: int, num_streams: int) -> Iterator[Measured]:
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--stop-with-stdin"
    for codec in (Codec.RAW, Codec.ZSTD):
        rendering = *serve, "--workers", "1", "--count", "train=1000000"
        yield _measured("rendered", rendering, codec, num_images, num_streams)
    for codec in (Codec.RAW, Codec.ZSTD):
        with materialized(_NUM_SHARD_SAMPLES, codec) as stored:
            reading = *serve, "--shards", str(stored.directory)
            yield _measured("shards", reading, codec, num_images * 10, num_streams)


def _measured(source: str, command: Sequence[str], codec: Codec, num_images: int, num_streams: int) -> Measured:
    with ServiceProcess(*command) as service:
        _read(service.target, codec, num_images // 2)  # A process draws its first 1,000 pictures without Numba.
        before_s = _cpu_s(service.process.pid)
        num_bytes, num_read = _read(service.target, codec, num_images)
        used_s, process_mb = _cpu_s(service.process.pid) - before_s, _resident_mb(service.process.pid)
        stream_mb = (_with_stopped_readers(service, codec, num_streams) - process_mb) / num_streams
    return Measured(
        source=source,
        codec=codec.value,
        cpu_s_per_1000=round(used_s / num_read * 1000, 4),
        bytes_per_image=round(num_bytes / num_read),
        process_mb=round(process_mb),
        stream_mb=round(max(stream_mb, 0.0), 1),
    )


def _read(target: str, codec: Codec, num_images: int) -> tuple[int, int]:
    """Bytes and images of that many images at least, as messages; nothing is done with them."""
    with connect(target) as client:
        address = StreamRequest(dataset=client.dataset, split="train", global_batch_size=BATCH_SIZE, codec=codec)
    service, num_bytes, num_batches = Service(target), 0, 0
    while num_batches * BATCH_SIZE < num_images:
        for message in islice(service.stream_batches(request_message(address)), num_images // BATCH_SIZE):
            num_bytes, num_batches = num_bytes + len(message), num_batches + 1
    service.close()
    return num_bytes, num_batches * BATCH_SIZE


def _with_stopped_readers(service: ServiceProcess, codec: Codec, num: int) -> float:
    """Resident MB of the service while so many readers, each with a connection of its own, do not read."""
    with connect(service.target) as client, ExitStack() as stack:
        address = StreamRequest(dataset=client.dataset, split="train", global_batch_size=BATCH_SIZE, codec=codec)
        request = request_message(address).SerializeToString()
        for number in range(num):
            channel = stack.enter_context(grpc.insecure_channel(service.target, [*OPTIONS, ("reader", number)]))
            messages, _ = open_stream(channel, request)
            next(messages)
        return _settled_mb(service.process.pid)


def _settled_mb(process: int) -> float:
    """When it has stopped to grow: rendering fills the buffers of many streams slowly."""
    before_mb, now_mb = 0.0, _resident_mb(process)
    while now_mb > before_mb + 1:
        time.sleep(_SETTLE_S)
        before_mb, now_mb = now_mb, _resident_mb(process)
    return now_mb


def _resident_mb(process: int) -> float:
    return sum(resident_mb(one) for one in (process, *children(process)))


def _cpu_s(process: int) -> float:
    """Seconds of processor time that it and its children have used."""
    stats = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (process, *children(process)))
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS_PER_S


def _show(title: str, rows: Sequence[Measured | Need]) -> None:
    table = Table(*(name.replace("_", " ") for name in asdict(rows[0])), title=title)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else value for value in asdict(row).values()))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
