"""What one stream leaves idle of two cores, beside how many threads a message wakes and how long a wake-up takes here.

    python -m tests.benchmarks.streaming.bench_wakeups [--samples N]

A message passes from thread to thread, in the service and in the reader: each waits until it is woken. A core that is
woken from idle does nothing meanwhile. Wake-ups: voluntary context switches of both processes, over the middle of one
long stream of Zstandard. How long one takes: half of a round trip between two processes on two cores, less what writing
and reading cost by themselves.
"""

import argparse
import json
import os
import resource
import socket
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from datagen_server.cli import main as datagen_server
from shared.client import connect
from tests.support.services import ServiceProcess

_BATCH_SIZE = 64
_ROUND_TRIPS = 20_000
_WARM_UP = 0.25
"Share of the stream."


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=131_072, help="default %(default)s")
    options = parser.parse_args()
    wake_up_us = _wake_up_us()
    with tempfile.TemporaryDirectory() as folder:
        make = ["materialize", "--out", f"{folder}/shards", "--count", f"train={options.samples}", "test=64"]
        if code := datagen_server(make):
            raise SystemExit(code)
        serve = "serve", "--shards", f"{folder}/shards", "--listen", "127.0.0.1:PORT", "--stop-with-stdin"
        with ServiceProcess("datagen_server", *serve) as service:
            result = _streamed(service, options.samples // _BATCH_SIZE)
    cores = len(os.sched_getaffinity(0))
    idle_us = (cores - result["cores_busy"]) * result["us_per_message"]
    result |= {
        "benchmark": "wakeups",
        "idle_core_us_per_message": round(idle_us),
        "wake_up_us": round(wake_up_us, 1),
        "wake_ups_core_us_per_message": round(result["wake_ups_per_message"] * wake_up_us),
    }
    table = Table("", "figure", title=f"one stream of Zstandard, {_BATCH_SIZE} images a message, {cores} cores")
    for name, value in result.items():
        table.add_row(name.replace("_", " "), f"{value:,}" if not isinstance(value, str) else value)
    Console().print(table)
    print(json.dumps(result))


def _streamed(service: ServiceProcess, num_steps: int) -> dict[str, Any]:
    with connect(service.target) as client, client.stream("train", global_batch_size=_BATCH_SIZE) as stream:
        for _ in islice(stream, int(num_steps * _WARM_UP)):
            pass
        started, before = time.monotonic(), _used(service.process.pid)
        num = sum(1 for _ in islice(stream, int(num_steps * (1 - 2 * _WARM_UP))))
        seconds, after = time.monotonic() - started, _used(service.process.pid)
    cpu_s, switches = (one - other for one, other in zip(after, before, strict=True))
    return {
        "images_per_s": round(num * _BATCH_SIZE / seconds),
        "cores_busy": round(cpu_s / seconds, 2),
        "us_per_message": round(seconds / num * 1e6),
        "wake_ups_per_message": round(switches / num, 1),
    }


def _used(service: int) -> tuple[float, int]:
    """CPU seconds and voluntary switches of this process and the service, of threads that still run."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s, switches = usage.ru_utime + usage.ru_stime, usage.ru_nvcsw
    fields = Path(f"/proc/{service}/stat").read_text().rpartition(")")[2].split()
    cpu_s += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for status in Path(f"/proc/{service}/task").glob("*/status"):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        switches += int(lines["voluntary_ctxt_switches"])
    return cpu_s, switches


def _wake_up_us() -> float:
    """From writing to a socket until a process on another core, which waited for it, has read."""
    here, *others = sorted(os.sched_getaffinity(0))
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        os.sched_setaffinity(0, others[:1] or [here])
        for _ in range(_ROUND_TRIPS):
            theirs.send(theirs.recv(1))
        os._exit(0)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [here])
    started = time.perf_counter()
    for _ in range(_ROUND_TRIPS):
        ours.send(b"x")
        ours.recv(1)
    one_way_s = (time.perf_counter() - started) / (2 * _ROUND_TRIPS)
    os.waitpid(child, 0)
    started = time.perf_counter()
    for _ in range(_ROUND_TRIPS):
        ours.send(b"x")
        theirs.recv(1)
    alone_s = (time.perf_counter() - started) / _ROUND_TRIPS
    os.sched_setaffinity(0, cores)
    return (one_way_s - alone_s) * 1e6


if __name__ == "__main__":
    main()
