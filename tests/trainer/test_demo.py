"""`make demo`, small, and what it prints at its end."""

import json
from pathlib import Path

import pytest

from shared.errors import StreamingError
from trainer.demo import main, print_summary

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
    print_summary(TRAINED, EVALUATED, Path("demo/report/index.html"))
    *_, report, match, errors, loss, last = capsys.readouterr().out.splitlines()
    assert report.split() == ["report", "demo/report/index.html"]
    assert "99.78% of 10,000 test captchas (95% interval 99.67% to 99.85%)" in match
    assert "0.087%" in errors
    assert "0.0123" in loss
    summary = json.loads(last)
    assert summary.keys() >= PROMISED
    assert summary["report"] == "demo/report/index.html"
    assert all(len(line) <= 80 for line in (report, match, errors, loss))


def test_a_small_demo_trains_evaluates_and_reports(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    (out / "run").mkdir(parents=True)
    (out / "run" / "config.yaml").write_text("left by an earlier demo")
    keys = "steps=5", "hidden_size=16", "batch_size=8", "train_samples=100"
    overrides = [part for key in keys for part in ("-o", key)]
    assert main(["--out", str(out), "--test-samples", "20", *overrides]) == 0
    summary = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert summary.keys() >= PROMISED
    assert (summary["steps"], summary["samples"]) == (5, 20)
    assert json.loads((out / "report" / "report.json").read_text())["accuracy"] == summary["accuracy"]
    assert (out / "report" / "index.html").is_file()


def test_the_quick_demo_is_200_steps_and_tells_of_the_full_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    keys = "hidden_size=16", "batch_size=4", "train_samples=800"
    overrides = [part for key in keys for part in ("-o", key)]
    assert main(["--quick", "--out", str(tmp_path / "demo"), "--test-samples", "20", *overrides]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out.splitlines()[-1])["steps"] == 200
    assert "this was the quick demo, 200 steps; the full one takes 3,000" in err


def test_a_part_of_the_demo_that_fails_ends_it_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(StreamingError, match="python -m trainer ended with exit code 2; its error message is above"):
        main(["--out", str(tmp_path / "demo"), "-o", "columns_per_frame=7", "-o", "train_samples=100"])
