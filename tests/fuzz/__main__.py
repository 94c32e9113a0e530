"""`python -m tests.fuzz [--seconds N] [--at-once N] [TARGET ...]`: coverage-guided fuzzing of every decoder.

Each target runs in a process of its own, for that many seconds. An input that crashes it is printed and kept; put it
into `tests/fuzz/crashes/TARGET/`, mend the decoder, and the gate tries it for ever after.
"""

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.targets import TARGETS


@dataclass(frozen=True)
class Figures:
    """What fuzzing one target came to."""

    target: str
    seconds: int
    executions: int
    coverage: int
    "Edges of the instrumented code that were reached."
    corpus: int
    "Inputs kept because each reached something new."
    crashes: int


def fuzz(target: str, seconds: int, crashes: Path) -> Figures:
    """Runs one target; a crash ends it early."""
    crashes.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={crashes}/", "-print_final_stats=1", "-timeout=30"]
    command = [sys.executable, "-m", "tests.fuzz.one", target, *options, "-rss_limit_mb=4096", "-max_len=65536"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    words = done.stdout.decode(errors="replace")
    found = sorted(crashes.iterdir())
    if done.returncode and not found:
        raise SystemExit(f"fuzzing {target} failed:\n{words[-4000:]}")
    if found:
        print(_trace(words), file=sys.stderr)
    for path in found:
        shown = base64.b64encode(path.read_bytes()[:300]).decode()
        print(f"{target} crashed at {path}, in base64 it begins with {shown}", file=sys.stderr)
    return Figures(
        target=target,
        seconds=seconds,
        executions=int(_last(r"stat::number_of_executed_units: +(\d+)", words)),
        coverage=int(_last(r"cov: (\d+)", words)),
        corpus=int(_last(r"corp: (\d+)", words)),
        crashes=len(found),
    )


def _last(pattern: str, words: str) -> str:
    found: list[str] = re.findall(pattern, words)
    return found[-1] if found else "0"


def _trace(words: str) -> str:
    start = words.find("=== Uncaught Python exception")
    return words[start : start + 4000] if start >= 0 else words[-4000:]


def main(argv: Sequence[str]) -> int:
    """Fuzzes; 1 if anything crashed."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=f"default: all of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=600, help="for each target; default %(default)s")
    parser.add_argument("--at-once", type=int, default=2, help="default %(default)s")
    parser.add_argument("--crashes", type=Path, help="where inputs that crash go; default: a new temporary folder")
    options = parser.parse_args(argv)
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"there is no target {min(unknown)}; there are {', '.join(TARGETS)}")
    crashes = options.crashes or Path(tempfile.mkdtemp(prefix="crashes-"))
    with ThreadPoolExecutor(options.at_once) as threads:
        names = options.targets or list(TARGETS)
        figures = list(threads.map(lambda name: fuzz(name, options.seconds, crashes / name), names))
    table = Table("decoder", "seconds", "executions", "edges", "inputs kept", "crashes", title="Fuzzing")
    for one in figures:
        table.add_row(one.target, *(f"{value:,}" for value in list(asdict(one).values())[1:]))
    Console().print(table)
    print(json.dumps({"fuzzing": [asdict(one) for one in figures]}))
    return int(any(one.crashes for one in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
