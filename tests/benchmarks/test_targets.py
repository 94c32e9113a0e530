"""The table of figures beside targets."""

import sys
from typing import Any

import pytest

from tests.benchmarks import targets
from tests.benchmarks.__main__ import BENCHMARKS, run


def test_a_figure_is_compared_with_its_target_in_the_right_direction() -> None:
    results: dict[str, dict[str, Any]] = {
        "render": {"ratio": 4.0},
        "start": {"commands": {"trainer --steps 1": {"s": 2.6}}},
    }
    met = {each["figure"]: each["met"] for each in targets.as_json(results)}
    assert met["rendering, times the captcha library"] is True
    assert met["trainer --steps 1, s"] is False
    assert met["streaming, times tf.data service"] is None


def test_a_figure_without_target_is_neither_met_nor_missed() -> None:
    (row,) = (
        each for each in targets.as_json({"readers": {"256": {"images_per_s": 7}}}) if each["measured"] is not None
    )
    assert (row["measured"], row["target"], row["met"]) == (7.0, None, None)


def test_every_figure_is_of_a_benchmark_that_make_bench_runs() -> None:
    printed = {*BENCHMARKS, "crnn_steps"} - {"crnn"}
    assert {figure.benchmark for figure in targets.FIGURES} <= printed


def test_the_last_line_of_a_benchmark_is_its_result_and_a_failure_has_none(capfd: pytest.CaptureFixture[str]) -> None:
    good = "print('a table'); print('{\"benchmark\": \"x\"}')"
    assert run([sys.executable, "-c", good]) == {"benchmark": "x"}
    assert run([sys.executable, "-c", "raise SystemExit(3)"]) is None
    captured = capfd.readouterr()
    assert captured.out.startswith("a table\n")
    assert "ended with exit code 3" in captured.err
