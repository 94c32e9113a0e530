"""What `make demo` says at its end."""

import json
from pathlib import Path

import pytest

from trainer.demo import tell

TRAINED = {"train_s": 322.4, "steps": 3000, "images_per_s": 610.0, "wait_share": 0.006, "weights_digest": "abc"}
EVALUATED = {
    "accuracy": 0.9978,
    "ci95": [0.9967, 0.9985],
    "samples": 10_000,
    "character_error_rate": 0.00087,
    "loss": 0.01234,
}
PROMISED = {"accuracy", "samples", "train_s", "steps", "images_per_s", "wait_share", "report"}


def test_the_demo_names_the_report_its_three_figures_and_ends_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    tell(TRAINED, EVALUATED, Path("demo/report/index.html"))
    *_, report, match, errors, loss, last = capsys.readouterr().out.splitlines()
    assert report.split() == ["report", "demo/report/index.html"]
    assert "99.78% of 10,000 test captchas (95% interval 99.67% to 99.85%)" in match
    assert "0.087%" in errors
    assert "0.0123" in loss
    told = json.loads(last)
    assert told.keys() >= PROMISED
    assert told["report"] == "demo/report/index.html"
    assert all(len(line) <= 80 for line in (report, match, errors, loss))
