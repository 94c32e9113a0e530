"""Images a second into PyTorch tensors: our stream against what else is used, on the same pictures, in one run.

The service streams from shards on this machine; the others read their own formats from its disk. Each loader is given
0, 2 and 4 workers, in turns; the table has the median of the best number for each.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.benchmarks.turns import module
from tests.support.services import ServiceProcess

LOADERS = {
    "ours": "ours",
    "lmdb-raw": "lmdb_raw",
    "lmdb-png": "lmdb_png",
    "streaming": "mosaicml_streaming",
    "litdata": "lightning_litdata",
    "grain": "google_grain",
}
"The program of each, beside this one."
WORKERS = (0, 2, 4)


def measure(python: str, loader: str, workers: int, folder: str, target: str) -> float | None:
    """Images/s; None when the loader failed, whose words are printed."""
    command = module(f"{__package__}.{LOADERS[loader]}", workers, f"{folder}/{loader}", target, python=python)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        print(f"{loader} with {workers} workers: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(done.stdout.splitlines()[-1])


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.clients.loaders.bench_loaders")
    parser.add_argument("--python", required=True, help="of the environment of requirements/peer-loaders.txt")
    parser.add_argument("--count", type=int, default=20_000, help="samples; default %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    options = parser.parse_args(argv)
    figures: dict[str, dict[int, list[float]]] = {loader: {workers: [] for workers in WORKERS} for loader in LOADERS}
    with tempfile.TemporaryDirectory() as folder:
        make = [sys.executable, "-m", "datagen_server", "materialize", "--out", f"{folder}/shards"]
        subprocess.run([*make, "--count", f"train={options.count}", "valid=1", "test=1"], check=True)
        serve = "datagen_server", "serve", "--shards", f"{folder}/shards", "--listen", "127.0.0.1:PORT"
        with ServiceProcess(*serve, "--stop-with-stdin") as service:
            for _ in range(options.rounds):
                for workers in WORKERS:
                    for loader in LOADERS:
                        found = measure(options.python, loader, workers, folder, service.target)
                        figures[loader][workers] += [] if found is None else [found]
    show(figures)


def show(figures: dict[str, dict[int, list[float]]]) -> None:
    table = Table("loader", *(f"{workers} workers" for workers in WORKERS), "best", title="Images/s into tensors")
    best: dict[str, float] = {}
    for loader, by_workers in figures.items():
        medians = [median(values) if values else 0.0 for values in by_workers.values()]
        best[loader] = max(medians)
        table.add_row(loader, *(f"{value:,.0f}" if value else "failed" for value in medians), f"{best[loader]:,.0f}")
    Console(width=100).print(table)
    ratios = {loader: round(best["ours"] / value, 2) for loader, value in best.items() if value and loader != "ours"}
    print(json.dumps({"loaders": {loader: round(value) for loader, value in best.items()}, "ours_against": ratios}))


if __name__ == "__main__":
    main(sys.argv[1:])
