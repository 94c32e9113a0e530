"""Exact match on the default test split after a minute of training, and after a quarter of an hour at most.

    python -m tests.benchmarks.training.bench_accuracy [--recipe quick|long ...] [--keep DIR]

Trains and evaluates with the commands that a person would type, rendering included. Seconds of training are the
trainer's own, from its first step on, and need a quiet machine; CPU seconds are of the whole command and its service.
"""

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.turns import module

_COMMON = "--preset", "crnn", "-o", "validate_steps=null"
RECIPES: Mapping[str, Sequence[str]] = {
    "quick": (*_COMMON, "--steps", "1100"),
    "long": (*_COMMON, "--steps", "10000", "-o", "train_samples=320000"),
}
"Options of `python -m trainer`."


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", nargs="+", choices=RECIPES, default=list(RECIPES), help="default: both")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs and reports there")
    options = parser.parse_args()
    table = Table("recipe", "steps", "training, s", "CPU s", "exact match", "wrong", "evaluation, images/s")
    results = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in options.recipe:
            results[name] = result = measured(RECIPES[name], (options.keep or Path(folder)) / name)
            cells = f"{result['train_s']:,g}", f"{result['train_cpu_s']:,g}", f"{result['accuracy']:.2%}"
            rate = f"{result['evaluation_images_per_s']:,g}"
            table.add_row(name, f"{result['steps']:,}", *cells, str(result["wrong"]), rate)
    Console().print(table)
    print(json.dumps({"benchmark": "accuracy", "recipes": dict(RECIPES), **results}))


def measured(recipe: Sequence[str], folder: Path) -> dict[str, Any]:
    """Trains into `folder` and evaluates on all of the test split."""
    run, report = folder / "run", folder / "report"
    before = _children_cpu_s()
    trained = _json_of("trainer", *recipe, "--run-dir", run, "--json")
    train_cpu_s = _children_cpu_s() - before
    before, started = _children_cpu_s(), time.monotonic()
    evaluated = _json_of("evaluator", "--ckpt", run, "--report", report, "--json")
    return {
        "steps": trained["steps"],
        "train_s": trained["train_s"],
        "train_cpu_s": round(train_cpu_s, 1),
        "wait_share": trained["wait_share"],
        "accuracy": evaluated["accuracy"],
        "wrong": evaluated["samples"] - evaluated["correct"],
        "evaluation_images_per_s": json.loads((report / "timing.json").read_text())["images_per_s"],
        "evaluation_s": round(time.monotonic() - started, 2),
        "evaluation_cpu_s": round(_children_cpu_s() - before, 2),
    }


def _json_of(name: str, *arguments: object) -> dict[str, Any]:
    done = subprocess.run(module(name, *arguments), check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
