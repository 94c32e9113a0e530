"""`make chaos`: the long tests, and one table of what they tried: promise, tries, failures, slowest recovery.

Tests tell through the fixture `outcome`; those that do not are counted by file, each test a try. The last line on
stdout is JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

LONG = (
    "tests/chaos",
    "tests/trainer/training/runs/test_training.py",
    "tests/trainer/distributed/test_collectives.py",
    "tests/datagen_server/sources/test_rendered_source.py",
)
QUICK = (
    "tests/datagen_server/service/test_tls.py",
    "tests/datagen_server/service/test_tokens.py",
    "tests/datagen_server/service/test_replaced_credentials.py",
    "tests/datagen_server/service/test_servicer.py",
    "tests/fuzz",
)
UNTOLD: Mapping[str, tuple[str, str]] = {
    "tests/chaos/test_large_shards.py": ("8", "a million samples cost no more memory than ten thousand"),
    "tests/chaos/kills/test_rank_kills.py": ("3, 4", "ranks, launchers, services, jobs killed, 5 or 10 times in each"),
    "tests/trainer/training/runs/test_training.py": ("4", "trainer killed (SIGKILL) and resumed: same weights"),
    "tests/trainer/distributed/test_collectives.py": ("2, 3, 4", "ranks killed, resumed, more and fewer: same weights"),
    "tests/datagen_server/sources/test_rendered_source.py": ("3", "rendering workers killed (SIGKILL)"),
    "tests/datagen_server/service/test_tls.py": ("9", "expired, foreign, missing certificates refused"),
    "tests/datagen_server/service/test_tokens.py": ("9", "wrong and missing tokens refused"),
    "tests/datagen_server/service/test_replaced_credentials.py": ("9", "certificates and tokens replaced in service"),
    "tests/datagen_server/service/test_servicer.py": ("9", "malformed requests refused by field"),
    "tests/fuzz/test_replay.py": ("6, 9", "damaged and once crashing inputs of every decoder"),
}


class Collector:
    """A plugin of pytest that remembers what the tests told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._untold: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for set-up, call and end of every test."""
        if report.when != "call" and report.passed:
            return
        properties = report.user_properties if report.when == "call" else []
        told: list[Any] = [value for name, value in properties if name == "outcome"]
        self.rows += told
        if not told or (report.failed and not any(row["failures"] for row in told)):
            self._count(report)

    def _count(self, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0]
        if file not in self._untold:
            promise, what = UNTOLD.get(file, ("", file))
            self._untold[file] = {"promise": promise, "what": what, "tries": 0, "failures": 0, "slowest_s": None}
            self._untold[file] |= {"note": "", "problems": []}
            self.rows.append(self._untold[file])
        row = self._untold[file]
        row["tries"] += not report.skipped
        row["failures"] += report.failed
        if report.skipped:
            row["note"] = "some skipped: they need what this machine does not permit"
        if report.failed:
            row["problems"].append(report.nodeid)


def main(argv: Sequence[str]) -> int:
    """Runs, prints the table and the JSON line; 1 if anything failed."""
    parser = argparse.ArgumentParser("python -m tests.chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-k", metavar="EXPRESSION", default="", help="only tests whose names match, as for pytest")
    options = parser.parse_args(argv)
    collector, started = Collector(), time.monotonic()
    same = ["-q", "--no-header", "--show-capture=no", "-p", "no:cacheprovider", "-k", options.k]
    codes = [
        pytest.main([*same, "-m", "long", *LONG], plugins=[collector]),
        pytest.main([*same, "-m", "not long", *QUICK], plugins=[collector]),
    ]
    _show(collector.rows)
    duration_s = round(time.monotonic() - started)
    failures = sum(row["failures"] for row in collector.rows)
    slowest = [row["slowest_s"] for row in collector.rows if row["slowest_s"] is not None]
    rows = [{**row, "slowest_s": row["slowest_s"] and round(row["slowest_s"], 2)} for row in collector.rows]
    summary = {"tries": sum(row["tries"] for row in rows), "failures": failures, "seconds": duration_s}
    print(json.dumps({"chaos": rows, **summary, "slowest_s": round(max(slowest), 2) if slowest else None}))
    good = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    return int(bool(failures) or not set(codes) <= good)


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("promise", "what", "tries", "failures", "slowest s", title="Under fire")
    for row in sorted(rows, key=lambda row: (row["promise"], row["what"])):
        slowest = "" if row["slowest_s"] is None else f"{row['slowest_s']:.1f}"
        what = f"{row['what']} ({row['note']})" if row["note"] else row["what"]
        table.add_row(row["promise"], what, f"{row['tries']:,}", str(row["failures"]), slowest)
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
