"""`make bench`: every benchmark in turn, then one table of all figures beside their targets.

    python -m tests.benchmarks [--only NAME ...] [--python-peer PYTHON] [--python-peer-crnn PYTHON]

Each benchmark prints its own table and JSON line as ever. The last line on stdout is JSON again: the figures, and the
seconds that each benchmark took. The exit code is 1 when a benchmark failed, whatever the figures are.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from tests.benchmarks import targets
from tests.benchmarks.turns import module

_TENSORFLOW, _PYTORCH = "{tensorflow}", "{pytorch}"
BENCHMARKS: Mapping[str, Sequence[str]] = {
    "render": ("rendering.bench_render", "--rounds", "7"),
    "materialize": ("rendering.bench_materialize",),
    "read": ("shards.bench_read",),
    "stream": ("streaming.bench_stream", "--rounds", "3", "--ranks", "1", "2"),
    "peer": ("streaming.bench_peer", "--python", _TENSORFLOW),
    "wakeups": ("streaming.bench_wakeups",),
    "tls": ("streaming.bench_tls",),
    "capacity": ("clients.bench_capacity",),
    "metrics": ("streaming.bench_metrics",),
    "end_to_end": ("streaming.bench_end_to_end", "--rounds", "3"),
    "start": ("start.bench_start",),
    "zoo": ("training.zoo.bench_zoo",),
    "step": ("training.bench_step",),
    "crnn": ("training.bench_crnn", "--python", _PYTORCH, "--only-steps", "--kinds", "colours"),
    "readers": ("clients.bench_readers",),
    "growth": ("shards.bench_growth",),
    "accuracy": ("training.bench_accuracy",),
}
"The module of each, and its options; the longest ones last."


def main(argv: Sequence[str]) -> int:
    """Runs them; 0, or 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="default: all of them")
    parser.add_argument("--python-peer", default=".venv-peer/bin/python", help="with TensorFlow; default %(default)s")
    parser.add_argument(
        "--python-peer-crnn", default=".venv-peer-crnn/bin/python", help="with PyTorch; default %(default)s"
    )
    options = parser.parse_args(argv)
    pythons = {_TENSORFLOW: options.python_peer, _PYTORCH: options.python_peer_crnn}
    results: dict[str, Mapping[str, Any]] = {}
    seconds: dict[str, float] = {}
    failed = []
    for name in options.only:
        started = time.monotonic()
        benchmark, *arguments = (pythons.get(argument, argument) for argument in BENCHMARKS[name])
        if (result := run(module(f"tests.benchmarks.{benchmark}", *arguments))) is None:
            failed.append(name)
        else:
            results[str(result["benchmark"])] = result
        seconds[name] = round(time.monotonic() - started, 1)
    Console(width=100).print(targets.table(results))
    print(json.dumps({"benchmark": "all", "figures": targets.as_json(results), "seconds": seconds, "failed": failed}))
    return 1 if failed else 0


def run(command: Sequence[str]) -> Mapping[str, Any] | None:
    """Shows what the command prints as it comes; its last line, which is JSON, or None when it failed."""
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for last in child.stdout:
            print(last, end="", flush=True)
    if child.returncode:
        print(f"{' '.join(command[1:])} ended with exit code {child.returncode}", file=sys.stderr)
        return None
    result: Mapping[str, Any] = json.loads(last)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
