"""The command as a person or a script meets it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.cli import main
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import ForeignDataset, NotFound, StreamingError, Unavailable, UsageError
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.evaluator.conftest import COUNTS, Setting

FIGURES = {"accuracy", "correct", "samples", "ci95", "by_length", "character_error_rate", "loss"}
PROMISED = FIGURES | {"fingerprint", "trained_fingerprint", "checkpoint"}
Captured = pytest.CaptureFixture[str]


def arguments(setting: Setting, *more: str) -> list[str]:
    return ["--ckpt", str(setting.run_dir), "--datagen", setting.target, *more]


def test_json_is_one_object_with_the_promised_keys(setting: Setting) -> None:
    command = [sys.executable, "-m", "evaluator", *arguments(setting, "--json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert result.keys() == PROMISED
    assert result["samples"] == COUNTS["test"]
    assert sum(score["samples"] for score in result["by_length"].values()) == COUNTS["test"]
    assert result["fingerprint"] == setting.dataset.fingerprint
    assert result["checkpoint"] == str(setting.checkpoint)
    assert done.stderr.startswith("evaluating ")
    assert done.stderr.splitlines()[1].startswith("on 130 test samples")


def test_a_person_gets_exact_match_a_table_and_the_coverage(setting: Setting, capsys: Captured) -> None:
    assert main(arguments(setting, "--ckpt", str(setting.checkpoint), "--split", "train")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("exact match 0.00% of 40 train samples, 95% interval 0.00% to ")
    assert lines[2].split() == ["characters", "samples", "correct", "exact", "match", "95%", "interval"]
    assert any(line.startswith("all ") for line in lines)
    assert any(line.split()[:2] == ["coverage", "40/40"] for line in lines)
    assert all(line.isascii() and "\x1b" not in line for line in lines)


def test_the_report_holds_the_json_line_and_every_error(setting: Setting, tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "new" / "report"
    assert main(arguments(setting, "--json", "--report", str(folder))) == 0
    summary = json.loads(capsys.readouterr().out)
    report = json.loads((folder / "report.json").read_text())
    assert summary.items() <= report.items()
    assert len(report["errors"]) == report["samples"] - report["correct"]
    assert report["errors"][0].keys() == {"index", "truth", "reading", "confidence", "loss"}
    assert report["configuration"]["dataset"]["alphabet"] == "0123456789"
    assert report["configuration"]["split"] == "test"
    assert sum(each["samples"] for each in report["calibration"]["bins"]) == report["samples"]


@pytest.mark.parametrize(("min_accuracy", "code"), [("0", 0), ("0.5", 1)])
def test_the_gate_ends_with_one_when_it_is_not_met(
    setting: Setting, min_accuracy: str, code: int, capsys: Captured
) -> None:
    assert main(arguments(setting, "--json", "--min-accuracy", min_accuracy)) == code
    captured = capsys.readouterr()
    last = "evaluator: exact match 0 (0 of 130 samples) is below --min-accuracy 0.5"
    assert (captured.err.splitlines()[-1] == last) == bool(code)
    assert json.loads(captured.out)["samples"] == COUNTS["test"]


def test_ctrl_c_ends_it_with_one_line_and_code_130(setting: Setting) -> None:
    command = [sys.executable, "-m", "evaluator", *arguments(setting, "--batch-size", "1")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("evaluating ")
        assert running.stderr.readline().startswith("on 130 test samples")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "evaluator: interrupted\n")


def test_without_datagen_the_data_set_of_the_checkpoint_is_drawn_here(setting: Setting, capsys: Captured) -> None:
    assert main(["--ckpt", str(setting.run_dir), "--split", "train", "--json"]) == 0
    embedded = json.loads(capsys.readouterr().out)
    assert main(arguments(setting, "--split", "train", "--json")) == 0
    assert json.loads(capsys.readouterr().out) == embedded


def test_a_checkpoint_of_another_data_set_is_evaluated_and_both_are_named(
    setting: Setting, tmp_path: Path, capsys: Captured
) -> None:
    foreign = Dataset(spec=DatasetSpec(seed=9, width=80, height=32), counts=COUNTS, fingerprint="0" * 64)
    untrained_checkpoint(tmp_path, foreign)
    arguments = ["--ckpt", str(tmp_path), "--datagen", setting.target, "--report", str(tmp_path / "report")]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    prints = f"fingerprint {setting.dataset.fingerprint[:12]}"
    note = f"on 130 test samples, {prints}; trained on fingerprint 000000000000, images fitted from 160x64 to 80x32"
    assert note in captured.err
    assert "trained on        fingerprint 000000000000" in captured.out
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["fingerprint"], report["trained_fingerprint"]) == (setting.dataset.fingerprint, "0" * 64)
    assert report["samples"] == 130
    page = (tmp_path / "report" / "index.html").read_text()
    assert "another data set: seed 9, width 80, height 32" in page


def test_characters_that_the_network_does_not_know_are_refused(setting: Setting, tmp_path: Path) -> None:
    untrained_checkpoint(tmp_path, Dataset(spec=DatasetSpec(alphabet="0123456"), counts=COUNTS, fingerprint="0" * 64))
    with pytest.raises(ForeignDataset, match=r"does not know characters of this data set: '789'; teach it: .* --init-"):
        main(["--ckpt", str(tmp_path), "--datagen", setting.target])
    with pytest.raises(ForeignDataset, match=r"was trained on the same spec, drawn by another renderer"):
        main(["--ckpt", str(tmp_path)])


@pytest.mark.parametrize(
    ("more", "error", "problem"),
    [
        (["--split", "tset"], NotFound, "split must be one of test, train, got 'tset'"),
        (["--ckpt", "nowhere"], UsageError, "no checkpoint at nowhere"),
        (["--ckpt", __file__], UsageError, r"test_cli\.json is missing"),
        (
            ["--best", "--ckpt", __file__],
            UsageError,
            r"--best chooses among the checkpoints of a run, but .*; give its",
        ),
        (["--batch-size", "5000"], UsageError, "--batch-size must be at most 2184"),
        (["--report", "/dev/null/report"], UsageError, "cannot make the directory /dev/null/report"),
        (["--datagen", "127.0.0.1:1", "--wait", "0.1"], Unavailable, "no data set service answers at 127.0.0.1:1"),
        (["--datagen", "127.0.0.1:1"], Unavailable, "no data set service answers at 127.0.0.1:1"),
        (["--device", "ascend"], UsageError, "--device ascend is not available here"),
    ],
)
def test_what_cannot_be_used_is_named(
    setting: Setting, more: list[str], error: type[StreamingError], problem: str
) -> None:
    with pytest.raises(error, match=problem) as caught:
        main(arguments(setting, *more))
    assert "\n" not in str(caught.value)


def test_a_wait_without_a_target_is_refused(setting: Setting) -> None:
    with pytest.raises(UsageError, match="--wait is for a service that runs elsewhere; give --datagen too"):
        main(["--ckpt", str(setting.run_dir), "--wait", "3"])


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--batch-size", "0"], "argument --batch-size: must be a number from 1, got '0'"),
        (["--min-accuracy", "99"], "argument --min-accuracy: must be a fraction in 0..1, such as 0.99, got '99'"),
        (["--min-accuracy", "nan"], "got 'nan'"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
    ],
)
def test_a_mistyped_flag_is_one_line_and_code_two(more: list[str], problem: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--ckpt", "run", *more])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line


def test_neither_help_nor_an_evaluation_on_the_cpu_waits_for_mindspore() -> None:
    code = "import sys, evaluator.cli, evaluator.evaluation_run; sys.exit('mindspore' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_predicts_is_imported_while_the_embedded_service_starts(tmp_path: Path) -> None:
    untrained_checkpoint(tmp_path, Dataset(spec=DatasetSpec(), fingerprint="f" * 64))
    code = f"""
import sys
from contextlib import contextmanager
from evaluator import cli, evaluation_run

@contextmanager
def embedded_service(counts, render_spec, while_it_starts):
    assert "onnxruntime" not in sys.modules
    while_it_starts()
    assert "onnxruntime" in sys.modules
    raise SystemExit(9)
    yield

evaluation_run.embedded_service = embedded_service
cli.main(["--ckpt", {str(tmp_path)!r}])
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
