"""Seconds until a command has done its work: its help, a health check, one picture, one training step; images/s of an
evaluation.

    python -m tests.benchmarks.start.bench_start [--rounds N]

The commands take turns, with files in the page cache. CPU seconds are of the command and of all that it starts, such
as the trainer's embedded service. MindSpore alone imports it, compiles the same network and takes one step with
random pictures: no training starts sooner. A last round, with `-X importtime`, says which packages take longest to
import.
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.system.embedded_service import embedded_service
from tests.benchmarks.start.evaluation_parts import evaluation_parts
from tests.benchmarks.turns import module

HELP = "datagen_server", "trainer", "evaluator", "trainer.receipts", "trainer.export", "trainer.compare"
_AIMS_S = {"predict, ONNX": 0.8, "predict, checkpoint": 0.8, "trainer --steps 1": 2.5, "MindSpore alone, one step": 2.5}
_QUICK_AIM_S = 0.15
_EVALUATIONS = 3
_IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([^.\s]+)")


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, embedded_service() as target:
        folder = Path(name)
        _prepare(folder)
        turns = [_turn(_commands(folder, target, f"run-{number}")) for number in range(options.rounds)]
        imports = {name: _imports(command) for name, command in _commands(folder, target, "run-last").items()}
        evaluated = [_evaluation(folder) for _ in range(_EVALUATIONS)]
        parts = evaluation_parts(folder / "run")
    medians = {
        name: [statistics.median(seconds) for seconds in zip(*(turn[name] for turn in turns), strict=True)]
        for name in imports
    }
    _print(medians, imports, statistics.median(evaluated), parts)


def _prepare(folder: Path) -> None:
    """A trained run, its network as ONNX, and a picture. It also brings everything into the page cache."""
    for command in (
        module("trainer", "--steps", 1, "--run-dir", folder / "run"),
        module("trainer.export", "--ckpt", folder / "run", "--out", folder / "captcha.onnx"),
        module("datagen_server", "inspect", "--split", "test", "--index", 7, "--out", folder / "seven.png"),
    ):
        subprocess.run(command, check=True, capture_output=True)


def _commands(folder: Path, target: str, run: str) -> Mapping[str, Sequence[str]]:
    """By the name in the table. run: the name of a run directory that is not there yet."""
    predict = "evaluator", "predict", folder / "seven.png", "--ckpt"
    return {
        **{f"{name} --help": module(name, "--help") for name in HELP},
        "datagen_server health": module("datagen_server", "health", "--target", target),
        "predict, ONNX": module(*predict, folder / "captcha.onnx"),
        "predict, checkpoint": module(*predict, folder / "run"),
        "trainer --steps 1": module("trainer", "--steps", 1, "--run-dir", folder / run),
        "MindSpore alone, one step": module("tests.benchmarks.training.fast_step"),
    }


def _turn(commands: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[float, float]]:
    """CPU seconds and seconds of each command."""
    return {name: _seconds(command) for name, command in commands.items()}


def _evaluation(folder: Path) -> float:
    """Images/s of the pass over the 10,000 of the test split, which the evaluator's own service renders meanwhile."""
    command = module("evaluator", "--ckpt", folder / "run", "--report", folder / "report")
    subprocess.run(command, check=True, capture_output=True)
    return float(json.loads((folder / "report" / "timing.json").read_text())["images_per_s"])


def _seconds(command: Sequence[str]) -> tuple[float, float]:
    cpu_before, started = _children_cpu_s(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return _children_cpu_s() - cpu_before, time.perf_counter() - started


def _children_cpu_s() -> float:
    """Of the children that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _imports(command: Sequence[str]) -> Mapping[str, float]:
    """Seconds by package, without what it imports of others; the three slowest of the command's own process."""
    python, *arguments = command
    command = [python, "-X", "importtime", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    times: Counter[str] = Counter()
    for microseconds, package in _IMPORT_LINE.findall(done.stderr):
        times["standard library" if package in sys.stdlib_module_names else package] += int(microseconds)
    return {package: microseconds / 1e6 for package, microseconds in times.most_common(3)}


def _print(
    medians: Mapping[str, Sequence[float]],
    imports: Mapping[str, Mapping[str, float]],
    evaluated: float,
    parts: Mapping[str, float],
) -> None:
    table = Table("", "CPU s", "s", "aim, s", "slowest imports, s", title="from the command line to the end")
    for name, (cpu_s, wall_s) in medians.items():
        slowest = ", ".join(f"{package} {seconds:.3f}" for package, seconds in imports[name].items())
        table.add_row(name, f"{cpu_s:.3f}", f"{wall_s:.3f}", f"{_AIMS_S.get(name, _QUICK_AIM_S):g}", slowest)
    Console().print(table)
    print(f"evaluator, 10,000 samples rendered meanwhile: {evaluated:,.0f} images/s, aim 2,000")
    alone = ", ".join(f"{name.removesuffix('_cpu_s')} {cpu_s:.2f}" for name, cpu_s in parts.items() if "cpu_s" in name)
    print(f"its parts alone, CPU s: {alone}; on all cores {parts['images_per_s']:,} images/s")
    figures = {
        name: {
            "cpu_s": round(cpu_s, 4),
            "s": round(wall_s, 4),
            "imports_s": {package: round(seconds, 4) for package, seconds in imports[name].items()},
        }
        for name, (cpu_s, wall_s) in medians.items()
    }
    evaluation = {"evaluator_images_per_s": round(evaluated), "evaluator_parts": parts}
    print(json.dumps({"benchmark": "start", "commands": figures, **evaluation}))


if __name__ == "__main__":
    main()
