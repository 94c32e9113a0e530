"""300 labelled pictures: `crnn` from scratch, and fine-tuned from a run on rendered look-alikes; 500 others to test.

    python -m tests.benchmarks.training.bench_small [--pictures FILE.tar]

The first set is of kind `letters`, its look-alikes have other fonts. The second is real, where there is one: PNGs named
LABEL_ANYTHING.png, each of four digits from 1 to 9, 124x24, strokes and dots of the same hue. Everything goes through
the commands that a person would type, on one core: import, serve, train, evaluate. CPU seconds are of the
whole training command and its service, rendering and start included; those of the fine-tuned run include the run on
look-alikes that it begins with.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table

from tests.benchmarks.training.kinds import KINDS
from tests.benchmarks.turns import Child, module

_TRAIN, _TEST = 300, 500
_FOLDER = Path(__file__).parent
_LIGHT = "-o", "augment=light"
_GENTLE = "-o", "learning_rate=0.002", "-o", "warmup_steps=100"
Rows = dict[str, dict[str, float]]
"By the name of the run: `steps`, `exact_match` and `cpu_s`."


@dataclass(frozen=True)
class Run:
    """How one row of the table is trained."""

    name: str
    steps: int
    options: Sequence[str] = ()
    rendered: bool = False
    "Trained from look-alikes, not from the pictures."
    continues: str | None = None
    "The run whose weights it begins with."


RUNS = (
    Run("scratch", 400),
    Run("scratch, augmented", 800, _LIGHT),
    Run("look-alikes", 900, rendered=True),
    Run("fine-tuned, augmented", 250, (*_LIGHT, *_GENTLE), continues="look-alikes"),
)


def main() -> None:
    """Prints a table for each set, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, metavar="FILE.tar", help="the real ones")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps({"benchmark": "small", "sets": measured(options.pictures)}))


def measured(real: Path | None) -> dict[str, Rows]:
    """Makes all runs of each set on the cores that this process may use, and prints the tables."""
    sets = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        drawn = Path(folder, "letters.tar")
        _draw(drawn)
        for name, archive in {"letters": drawn, "digits": real}.items():
            if archive:
                (parts := Path(folder, name)).mkdir()
                sets[name] = _measure(archive, _FOLDER / f"lookalike_{name}.yaml", parts)
                Console().print(_table(name, sets[name]))
    return sets


def _draw(archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        for number, (image, label) in enumerate(islice(KINDS["letters"].pictures(2), _TRAIN + _TEST)):
            file = BytesIO()
            Image.fromarray(image).save(file, "PNG")
            entry = tarfile.TarInfo(f"{label}_{number:05}.png")
            entry.size = file.tell()
            file.seek(0)
            tar.addfile(entry, file)


def _measure(archive: Path, spec: Path, folder: Path) -> Rows:
    address = "--listen", "127.0.0.1:0", "--stop-with-stdin"
    service = Child(module("datagen_server", "serve", "--shards", _import(archive, folder), *address))
    try:
        return _runs(service, spec, folder)
    finally:
        service.close()


def _table(name: str, rows: Rows) -> Table:
    table = Table("run", "steps", "exact match", "CPU s", title=f"{_TRAIN} {name} to train, {_TEST} to test")
    for run, row in rows.items():
        table.add_row(run, f"{row['steps']:g}", f"{row['exact_match']:.1%}", f"{row['cpu_s']:.0f}")
    return table


def _import(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        pictures = {Path(m.name).name: tar.extractfile(m) for m in tar.getmembers() if m.name.endswith(".png")}
        names = sorted(pictures)
        random.Random(0).shuffle(names)
        if len(names) < _TRAIN + _TEST:
            raise SystemExit(f"{archive} holds {len(names)} pictures, {_TRAIN + _TEST} are needed")
        for split, chosen in (("train", names[:_TRAIN]), ("test", names[_TRAIN : _TRAIN + _TEST])):
            (folder / split).mkdir()
            for name in chosen:
                file = pictures[name]
                assert file is not None
                (folder / split / name).write_bytes(file.read())
    splits = [f"{split}={folder / split}" for split in ("train", "test")]
    command = module("datagen_server", "import", "--split", *splits, "--out", folder / "shards", "--workers", 1)
    subprocess.run(command, check=True, stdout=sys.stderr)
    return folder / "shards"


def _runs(service: Child, spec: Path, folder: Path) -> Rows:
    target, rows = service.ready_line.split()[-1], Rows()
    for run in RUNS:
        source = ["--spec", spec] if run.rendered else ["--datagen", target]
        start = ["--init-from", folder / run.continues] if run.continues else []
        common = "--preset", "crnn", "--steps", run.steps, "--run-dir", folder / run.name, "-o", "validate_steps=null"
        before = _cpu_s(service)
        _json_of("trainer", *source, *start, *common, *run.options, "--json")
        cpu_s = _cpu_s(service) - before + (rows[run.continues]["cpu_s"] if run.continues else 0)
        report = folder / f"{run.name}, read"
        read = _json_of("evaluator", "--ckpt", folder / run.name, "--datagen", target, "--report", report, "--json")
        rows[run.name] = {"steps": run.steps, "exact_match": read["accuracy"], "cpu_s": round(cpu_s, 1)}
        print(f"{run.name}: {rows[run.name]}", file=sys.stderr)
    return rows


def _json_of(name: str, *arguments: object) -> dict[str, Any]:
    done = subprocess.run(module(name, *arguments), check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _cpu_s(service: Child) -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime + service.cpu_s()


if __name__ == "__main__":
    main()
