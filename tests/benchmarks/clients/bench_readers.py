"""From 1 to 256 readers on one service: images/s, the wait for a batch, and the memory of the service.

    python -m tests.benchmarks.clients.bench_readers [--readers N ...] [--seconds S] [--svg FILE.svg]

Shards as `materialize` writes them, one replica, each reader a job of its own that takes 64 images a step as fast as it
gets them. The readers share four processes at most, as threads: on one machine they cost more than the service does, so
their images/s say what the machine can do, and the wait how fairly it is shared. `--svg` draws the curves.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from datagen_server.shards import DEFAULT_CODEC
from shared.client import connect
from tests.benchmarks.clients.curves import Curve, write_svg
from tests.benchmarks.streaming.sides import Stored, materialized
from tests.benchmarks.turns import BATCH_SIZE, Child, module
from tests.support.memory import resident_mb
from tests.support.services import ServiceProcess

READERS = [1, 2, 4, 16, 64, 128, 256]
PROCESSES = 4
_SETTLE_S = 1.0
Figures = dict[str, float]


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, nargs="+", default=READERS, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement; default %(default)s")
    parser.add_argument("--samples", type=int, default=8192, help="default %(default)s")
    parser.add_argument("--svg", type=Path, metavar="FILE.svg", help="draw the curves there")
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        target, threads, first_rank, seconds = options.side
        _read_at_once(target, int(threads), int(first_rank), float(seconds))
        return
    with materialized(options.samples, DEFAULT_CODEC) as stored:
        results = {str(num): _measured(stored, num, options.seconds) for num in options.readers}
    table = Table("readers", "images/s", "median wait, ms", "p99 wait, ms", "MB of the service", title="one service")
    for num, row in results.items():
        waits = (f"{row[key] * 1e3:,.1f}" for key in ("median_wait_s", "p99_wait_s"))
        table.add_row(num, f"{row['images_per_s']:,}", *waits, f"{row['server_mb']:,g}")
    Console().print(table)
    if options.svg:
        _draw(options.svg, results)
    print(json.dumps({"benchmark": "readers", "seconds": options.seconds, **results}))


def _measured(stored: Stored, readers: int, seconds: float) -> Figures:
    """A service of its own for each number, so that memory is that number's."""
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--stop-with-stdin", "--shards"
    processes = min(readers, PROCESSES)
    with ServiceProcess(*serve, str(stored.directory), "--max-streams", str(readers)) as service, ExitStack() as stack:
        children = []
        for number in range(processes):
            threads = readers // processes
            how = "--side", service.target, threads, number * threads, seconds
            children.append(Child(module("tests.benchmarks.clients.bench_readers", *how)))
            stack.callback(children[-1].close)
        for child in children:
            child.tell("begin")
        answers = [json.loads(child.answer()) for child in children]
        server_mb = resident_mb(service.process.pid)
    waits = sorted(wait for answer in answers for wait in answer["waits"])
    return {
        "images_per_s": round(sum(answer["batches"] for answer in answers) * BATCH_SIZE / seconds),
        "median_wait_s": round(statistics.median(waits), 5),
        "p99_wait_s": round(waits[int(len(waits) * 0.99)], 5),
        "server_mb": round(server_mb, 1),
    }


def _read_at_once(target: str, threads: int, first_rank: int, seconds: float) -> None:
    """One process of readers; answers the batches of all, and how long each was waited for."""
    waits: list[list[float]] = [[] for _ in range(threads)]
    ready, begin, over = threading.Barrier(threads + 1), threading.Event(), threading.Event()
    with connect(target) as client:

        def read(number: int) -> None:
            ready.wait()
            begin.wait()
            epoch = 0
            while not over.is_set():
                seed = first_rank + number
                with client.stream("train", order_seed=seed, epoch=epoch, global_batch_size=BATCH_SIZE) as stream:
                    before = time.perf_counter()
                    for _ in stream:
                        now = time.perf_counter()
                        waits[number].append(now - before)
                        before = now
                        if over.is_set():
                            break
                epoch += 1

        running = [threading.Thread(target=read, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        ready.wait()
        print("ready", flush=True)
        sys.stdin.readline()
        begin.set()
        time.sleep(_SETTLE_S)
        before = [len(each) for each in waits]
        time.sleep(seconds)
        taken = [each[start:] for each, start in zip([list(each) for each in waits], before, strict=True)]
        answer = {"batches": sum(map(len, taken)), "waits": [wait for each in taken for wait in each]}
        print(json.dumps(answer), flush=True)
        over.set()
        for thread in running:
            thread.join()


def _draw(file: Path, results: Mapping[str, Figures]) -> None:
    numbers: Sequence[float] = [float(num) for num in results]
    panels = (
        ("images_per_s", "images/s", 1.0),
        ("p99_wait_s", "p99 wait for a batch, ms", 1e3),
        ("server_mb", "memory of the service, MB", 1.0),
    )
    curves = [Curve(title, numbers, [row[key] * scale for row in results.values()]) for key, title, scale in panels]
    write_svg(file, "readers on one service", curves)


if __name__ == "__main__":
    main()
