"""Validation beside training, as a user starts it: it changes no bit, keeps the best, stops early, and is resumed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import served
from tests.support.toys import ToySource
from tests.trainer.jobs import Job
from trainer.audit.exactly_once import Receipts

SMALL = {
    "hidden_size": 16,
    "columns_per_frame": 2,
    "captcha_width": 24,
    "captcha_height": 16,
    "global_batch_size": 8,
    "log_steps": 2,
    "save_checkpoint_steps": 50,
    "learning_rate": 0.02,
    "warmup_steps": 5,
}
KEYS = [part for key, value in SMALL.items() for part in ("-o", f"{key}={value}")]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with served(ToySource(counts={"train": 1000, "valid": 150, "test": 130})) as target:
        yield target


def _run(target: str, run_dir: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), "--json", *KEYS, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _valid(run_dir: Path) -> dict[int, float]:
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return {row["step"]: row["valid_accuracy"] for row in rows if row["valid_accuracy"] is not None}


def test_validation_changes_no_bit_of_the_training_and_names_the_best(service: str, tmp_path: Path) -> None:
    plain = _run(service, tmp_path / "plain", "--steps", "60", "-o", "validate_steps=null")
    validated = _run(
        service, tmp_path / "run", "--steps", "60", "-o", "validate_steps=7", "-o", "keep_checkpoint_max=1"
    )
    assert validated["weights_digest"] == plain["weights_digest"]
    assert (plain["valid_accuracy"], plain["best_step"]) == (None, None)
    assert not (tmp_path / "plain" / "best.json").exists()
    measured = _valid(tmp_path / "run")
    assert list(measured) == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    best_step = max(measured, key=lambda step: (measured[step], -step))
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    assert (best["step"], best["valid_accuracy"]) == (best_step, measured[best_step])
    assert (validated["best_step"], validated["valid_accuracy"]) == (best_step, measured[best_step])
    kept = {path.name for path in (tmp_path / "run" / "checkpoints").glob("*.ckpt")}
    assert kept == {Path(best["checkpoint"]).name, "warpctc-1-60.ckpt"}


def test_a_run_ends_early_on_every_rank_and_stays_ended(service: str, tmp_path: Path) -> None:
    # At a rate of next to nothing no validation is better than the first.
    keys = ("-o", "validate_steps=5", "-o", "early_stop_patience=2", "-o", "learning_rate=1e-9", "--steps", "1000")
    one = _run(service, tmp_path / "one", *keys)
    assert (one["steps"], one["num_steps"], one["stopped_early"], one["best_step"]) == (15, 1000, True, 5)
    again = Job(tmp_path / "one", "--datagen", service, "--resume", "--json")
    assert again.summary()["weights_digest"] == one["weights_digest"]
    assert "nothing is left to train" in again.stderr
    two = Job(tmp_path / "two", "--datagen", service, *KEYS, *keys, "--ranks", "2", "--json").summary()
    assert (two["steps"], two["best_step"], two["valid_accuracy"]) == (15, 5, one["valid_accuracy"])
    assert _valid(tmp_path / "two") == _valid(tmp_path / "one")
    assert Receipts(tmp_path / "two").prove().holds
    more = _run(service, tmp_path / "one", "--resume", *keys, "-o", "early_stop_patience=4")
    assert (more["steps"], more["stopped_early"]) == (25, True)


def test_killed_and_resumed_it_ends_with_the_same_weights_the_same_best_and_the_same_augmentation(
    service: str, tmp_path: Path
) -> None:
    keys = ("--steps", "300", "-o", "validate_steps=20", "-o", "augment=strong", "-o", "log_steps=1")
    whole = _run(service, tmp_path / "whole", *keys)
    job = Job(tmp_path / "run", "--datagen", service, *KEYS, *keys)
    job.wait_for_step(70)
    job.kill()
    resumed = _run(service, tmp_path / "run", "--resume", *keys)
    for key in ("weights_digest", "best_step", "valid_accuracy", "steps"):
        assert resumed[key] == whole[key]
    assert _valid(tmp_path / "run") == _valid(tmp_path / "whole")
    assert (tmp_path / "run" / "best.json").read_bytes() == (tmp_path / "whole" / "best.json").read_bytes()
    assert Receipts(tmp_path / "run").prove().holds
    plain = _run(service, tmp_path / "plain", *keys, "-o", "augment=none")
    assert plain["weights_digest"] != whole["weights_digest"]


def test_augmented_steps_are_the_same_on_one_two_and_four_ranks(service: str, tmp_path: Path) -> None:
    keys = ("--steps", "50", "-o", "augment=light", "-o", "validate_steps=25", "-o", "log_steps=1")
    jobs = [
        Job(tmp_path / ranks, "--datagen", service, *KEYS, *keys, "--ranks", ranks, "--json")
        for ranks in ("1", "2", "4")
    ]
    for job in jobs:
        job.summary()
    losses = [[row["loss"] for row in job.metrics()] for job in jobs]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] == pytest.approx(losses[0], rel=1e-4)
    proofs = [Receipts(job.run_dir).prove() for job in jobs]
    assert {(proof.delivered, proof.holds, proof.digest) for proof in proofs} == {(400, True, proofs[0].digest)}


def test_a_patience_without_validations_is_refused(tmp_path: Path) -> None:
    with served() as target:
        keys = [*KEYS, "-o", "early_stop_patience=2"]
        command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(tmp_path / "run"), *keys]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "early_stop_patience needs validations, but the data set has no split 'valid'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
