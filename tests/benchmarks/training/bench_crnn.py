"""Readers of other people's captchas: the preset `crnn` against an ordinary CRNN in PyTorch, same pictures, in turns.

    python -m tests.benchmarks.training.bench_crnn --python PYTHON [--kinds NAME ...]
        [--pictures FILE.tar | --only-steps]

For each kind both train from the same file and read the same test pictures; CPU seconds are user and system time of
the process, compilation included, reading the test pictures not. Both sides run on one core: the peer has one thread,
and MindSpore's threads wait for each other by spinning, which would count. `--only-steps` compares single steps
instead, several times in turns, on the first kind, with 64 pictures each; beside them stand the parts of ours
alone, by NumPy, and a whole step of ours with a single picture: what MindSpore needs to run so many operators, and the
update of the weights, whatever the batch. The tables of `bench_small` follow unless kinds are named.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.training import bench_small
from tests.benchmarks.training.kinds import KINDS, write_kind
from tests.benchmarks.training.matrix_products import BATCH, unset_openblas
from tests.benchmarks.turns import module

STEPS = {
    "letters": (2_000, 3_200),
    "cased": (2_600, 4_000),
    "colours": (1_300, 1_600),
    "svg": (1_600, 3_400),
    "hollow": (1_500, 1_200),
}
"Steps of the peer, of 64 pictures each, and of ours, of as many as the preset says."
_USUAL = "letters", "cased", "colours", "svg"
_PARTS = "products", "gathers", "passes", "single"
"Of a step of ours: what `crnn_parts` measures, then what a step of a single picture costs."
_SUMS = (
    ("products", "products"),
    ("and gathers", "products_and_gathers"),
    ("and elementwise passes", "operators"),
    ("and a step of one picture", "operators_and_single"),
)
"In the table and in the JSON line: each part with those before it."
_PEER = Path(__file__).with_name("peer_crnn.py")


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="of an environment with PyTorch (requirements/peer-crnn.txt)")
    parser.add_argument("--kinds", nargs="+", choices=STEPS, help="default: all but hollow")
    parser.add_argument("--folder", type=Path, default=Path("bench/kinds"), help="of the pictures; default %(default)s")
    parser.add_argument("--pictures", type=Path, metavar="FILE.tar", help="real ones, see bench_small")
    parser.add_argument("--only-steps", action="store_true", help="CPU seconds of a step")
    parser.add_argument("--rounds", type=int, default=3, help="with --only-steps; default %(default)s")
    options = parser.parse_args()
    files = {name: _file(name, options.folder) for name in options.kinds or _USUAL}
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.only_steps:
        _compare_steps(options.python, next(iter(files.values())), options.rounds)
    else:
        kinds = _compare_training(options.python, files)
        small = None if options.kinds else bench_small.measured(options.pictures)
        print(json.dumps({"benchmark": "crnn", "kinds": kinds, "small": small}))


def _file(name: str, folder: Path) -> Path:
    count = KINDS[name].num_train + KINDS[name].num_test
    file = folder / f"{name}-{count}.npz"
    if not file.exists():
        print(f"drawing {count:,} pictures of kind {name}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        write_kind(name, file, seed=1)
    return file


def _compare_training(peer_python: str, files: dict[str, Path]) -> dict[str, Any]:
    table = Table("kind", "steps", "ours", "CPU s", "peer", "CPU s", "CPU ratio", title="exact match")
    rows = {}
    for name, file in files.items():
        peer_steps, our_steps = STEPS[name]
        peer = _run([peer_python, str(_PEER), str(file), str(peer_steps)])
        ours = _run([*_ours(), str(file), str(our_steps)])
        ratio = ours["cpu_s"] / peer["cpu_s"]
        cells = [
            f"{side[key]:{form}}" for side in (ours, peer) for key, form in (("exact_match", ".1%"), ("cpu_s", ".0f"))
        ]
        table.add_row(name, str(our_steps), *cells, f"{ratio:.2f}")
        rows[name] = {"ours": ours, "peer": peer, "cpu_ratio": round(ratio, 3)}
    Console().print(table)
    return rows


def _compare_steps(peer_python: str, file: Path, rounds: int) -> None:
    turns = [_turn(peer_python, file) for _ in range(rounds)]
    medians = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    result = {f"{name}_cpu_s_per_step": round(each, 4) for name, each in medians.items()}
    result["ratio"] = _median_ratio(turns, ["ours"])
    table = Table("", "CPU ms", "times the peer", title="a step of 64 pictures on one core")
    table.add_row("ours", f"{medians['ours'] * 1e3:.1f}", f"{result['ratio']:.2f}")
    table.add_row("peer", f"{medians['peer'] * 1e3:.1f}", "1")
    for number, (words, ratio) in enumerate(_SUMS, 1):
        parts = list(_PARTS[:number])
        result[f"{ratio}_ratio"] = _median_ratio(turns, parts)
        ms = sum(medians[part] for part in parts) * 1e3
        table.add_row(f"ours, {words} alone", f"{ms:.1f}", f"{result[f'{ratio}_ratio']:.2f}")
    Console().print(table)
    print(json.dumps({"benchmark": "crnn_steps"} | result))


def _turn(peer_python: str, file: Path) -> dict[str, float]:
    """CPU seconds a step of each side and of each part of ours."""
    unset = ["env", *unset_openblas(), "OPENBLAS_NUM_THREADS=1"]
    parts = _run([*unset, *module("tests.benchmarks.training.crnn_parts", str(file), "20")])
    ours, single = (
        _run([*_ours(), str(file), str(steps), "--only-steps", "-o", f"batch_size={size}"])["cpu_s_per_step"]
        for steps, size in ((60, BATCH), (200, 1))
    )
    peer = _run([peer_python, str(_PEER), str(file), "60", "--only-steps"])["cpu_s_per_step"]
    # A picture's share of the parts is in its step already.
    return {**parts, "single": single - sum(parts.values()) / BATCH, "ours": ours, "peer": peer}


def _median_ratio(turns: Sequence[dict[str, float]], parts: Sequence[str]) -> float:
    """Of the sum of `parts` over the peer, turn by turn."""
    return round(statistics.median(sum(turn[part] for part in parts) / turn["peer"] for turn in turns), 3)


def _ours() -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.training.crnn_training"]


def _run(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
