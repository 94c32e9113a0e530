"""Training from a real service, as a user starts it: repeatable, resumable bit for bit, clear when it cannot go on."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.system.embedded_service import embedded_service

SMALL = ["hidden_size=16", "batch_size=8", "columns_per_frame=8", "save_checkpoint_steps=7", "log_steps=5"]
STEPS = 60


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with embedded_service(counts={"train": 200, "test": 50}, num_workers=1) as target:
        yield target


def _command(target: str, run_dir: Path, *more: str, overrides: list[str] = SMALL) -> list[str]:
    keys = [part for key in overrides for part in ("-o", key)]
    return [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), *keys, *more]


def _train(target: str, run_dir: Path, *more: str) -> dict[str, Any]:
    command = _command(target, run_dir, "--json", *more)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _metrics(run_dir: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(service: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    return _train(service, run_dir, "--steps", str(STEPS)) | {"run_dir": run_dir}


def test_a_run_leaves_its_configuration_metrics_and_checkpoints(uninterrupted: dict[str, Any]) -> None:
    run_dir: Path = uninterrupted["run_dir"]
    rows = _metrics(run_dir)
    assert [row["step"] for row in rows] == list(range(5, STEPS + 1, 5))
    assert rows[-1]["epoch"] == 3  # 25 steps an epoch
    assert set(rows[0]) >= {"step", "epoch", "loss", "lr", "images_per_s", "wait_share"}
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert "batch_size: 8" in (run_dir / "config.yaml").read_text()
    assert Path(uninterrupted["checkpoint"]).name == "warpctc-3-10.ckpt"
    beside = json.loads(Path(uninterrupted["checkpoint"]).with_suffix(".json").read_text())
    assert beside["weights_digest"] == uninterrupted["weights_digest"]
    assert (beside["epoch"], beside["step"], beside["global_step"], beside["ranks"]) == (3, 10, STEPS, 1)


def _killed_and_resumed(target: str, run_dir: Path, kill_at_step: int, steps: int) -> dict[str, Any]:
    """The summary of a run that was killed at that step or a little later, but surely before its end, and resumed."""
    trainer = subprocess.Popen(
        _command(target, run_dir, "--steps", str(steps), "-o", "log_steps=1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    metrics = run_dir / "metrics.jsonl"
    while trainer.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= kill_at_step):
        time.sleep(0.001)
    trainer.kill()
    assert trainer.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert metrics.read_text().count("\n") < steps
    return _train(target, run_dir, "--resume", "-o", "log_steps=1")


def test_a_killed_and_resumed_run_ends_with_the_same_weights(service: str, tmp_path: Path) -> None:
    steps = 150
    whole = _train(service, tmp_path / "whole", "--steps", str(steps), "-o", "log_steps=1")
    resumed = _killed_and_resumed(service, tmp_path / "run", kill_at_step=30, steps=steps)
    assert resumed["weights_digest"] == whole["weights_digest"]
    assert Path(resumed["checkpoint"]).read_bytes() == Path(whole["checkpoint"]).read_bytes()
    rows = [row["step"] for row in _metrics(tmp_path / "run")]
    assert rows == list(range(1, steps + 1))


def test_resuming_a_finished_run_says_what_it_ended_with(service: str, uninterrupted: dict[str, Any]) -> None:
    again = _train(service, uninterrupted["run_dir"], "--resume")
    for key in ("steps", "num_steps", "checkpoint", "weights_digest"):
        assert again[key] == uninterrupted[key]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_five_random_kills_end_with_the_same_weights(service: str, tmp_path: Path) -> None:
    steps = 400
    whole = _train(service, tmp_path / "whole", "--steps", str(steps), "-o", "log_steps=1")
    points = random.Random(0).sample(range(1, steps - 100), 5)
    for point in points:
        resumed = _killed_and_resumed(service, tmp_path / str(point), kill_at_step=point, steps=steps)
        assert resumed["weights_digest"] == whole["weights_digest"]
    print(f"\nSIGKILL at steps {sorted(points)} of {steps}, resumed: bit-identical weights each time")


def test_a_seed_of_its_own_gives_other_weights(service: str, uninterrupted: dict[str, Any], tmp_path: Path) -> None:
    other = _train(service, tmp_path / "run", "--steps", "7", "-o", "seed=1")
    same = _train(service, tmp_path / "same", "--steps", "7", "-o", "seed=1")
    assert other["weights_digest"] == same["weights_digest"] != uninterrupted["weights_digest"]


def test_ctrl_c_saves_where_the_run_stands_and_exits_with_130(service: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    trainer = subprocess.Popen(
        _command(service, run_dir, "--steps", "100000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while trainer.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.02)
    trainer.send_signal(signal.SIGINT)
    out, err = trainer.communicate(timeout=60)
    assert trainer.returncode == 130, err
    assert "Traceback" not in err
    assert "stopped after" in out
    assert "--resume" in out
    assert list((run_dir / "checkpoints").glob("*.json"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "batch_sise=3"], "unknown configuration key 'batch_sise'; did you mean batch_size?"),
        (["-o", "captcha_width=100"], "configuration and data set differ: captcha_width 100 (the data set's is 160)"),
        (["-o", "batch_size=201"], "global_batch_size must be at most the split's 200 samples"),
        (["-o", "columns_per_frame=7"], "columns_per_frame must divide the image width (160), got 7"),
        (["--resume"], "nothing to resume in"),
        (["--steps", "0"], "configuration key steps: input should be greater than or equal to 1, got 0"),
        (["--steps", "x"], "argument --steps: invalid int value: 'x'"),
        (["--device", "ascend"], "--device ascend is not available here"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(service: str, tmp_path: Path, more: list[str], message: str) -> None:
    command = _command(service, tmp_path / "run", *more)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_is_never_overwritten_and_resuming_never_changes_it(service: str, uninterrupted: dict[str, Any]) -> None:
    for more, message in (
        (["--steps", "3"], "already holds a run; continue it with --resume"),
        (["--resume", "-o", "batch_size=9"], "--resume cannot change batch_size from 8 to 9"),
    ):
        command = _command(service, uninterrupted["run_dir"], *more)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert message in done.stderr
