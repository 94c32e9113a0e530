"""Trainers that are frozen, or whose services are killed and frozen, end with the weights of one left in peace."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.datagen_server.processes import wait_until
from tests.support.outcomes import OpenOutcome, Outcome
from tests.support.services import ServiceProcess

SERVE = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--stop-with-stdin"
COUNTS = "--count", "train=400", "test=50"
SMALL = "hidden_size=16", "batch_size=8", "columns_per_frame=8", "save_checkpoint_steps=500", "log_steps=100"
NUM_STEPS = 600
FREEZE_S = 8.0
# By then the service has pinged in vain, twice 20 s, and closed the connection.
LONG_FREEZE_S = 50.0


def start_trainer(target: str, run_dir: Path) -> "subprocess.Popen[str]":
    keys = [word for key in SMALL for word in ("-o", key)]
    command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), "--json", *keys]
    command += ["--steps", str(NUM_STEPS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(trainer: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = trainer.communicate(timeout=600)
    assert trainer.returncode == 0, err
    assert "Traceback" not in err
    result: dict[str, Any] = json.loads(out)
    return result


def disturb(services: Sequence[ServiceProcess], trainer: "subprocess.Popen[str]", result: Outcome) -> None:
    """One service after the other: stopped in good order, killed, or frozen for a while, until the trainer is done."""
    chance, number = random.Random(5), 0
    while trainer.poll() is None:
        service, what = services[number % len(services)], chance.choice(["stop", "stop", "kill", "freeze"])
        with result.one_try():
            if what == "freeze":
                service.send(signal.SIGSTOP)
                time.sleep(FREEZE_S)
                service.send(signal.SIGCONT)
            else:
                service.end(signal.SIGTERM if what == "stop" else signal.SIGKILL)
                service.start()
        time.sleep(chance.uniform(0.2, 1.0))
        number += 1


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_trainer_whose_replicas_die_in_turn_ends_with_the_same_weights(outcome: OpenOutcome, tmp_path: Path) -> None:
    with (
        outcome(promise="3, 4", what="replicas of a trainer stopped, killed, frozen: same weights") as result,
        ExitStack() as stack,
    ):
        services = [stack.enter_context(ServiceProcess(*SERVE, *COUNTS)) for _ in range(2)]
        target = ",".join(service.target for service in services)
        in_peace = result_of(start_trainer(target, tmp_path / "peace"))
        trainer = start_trainer(target, tmp_path / "war")
        disturb(services, trainer, result)
        assert result_of(trainer)["weights_digest"] == in_peace["weights_digest"]
        assert result.tries >= 2


def freeze_now_and_then(trainer: "subprocess.Popen[str]", run_dir: Path, result: Outcome) -> None:
    """Once for long, as soon as it has trained 100 steps, then for short whiles until it is done."""
    wait_until(lambda: (run_dir / "metrics.jsonl").exists() or trainer.poll() is not None, "the first steps", 120)
    chance, duration_s = random.Random(6), LONG_FREEZE_S
    while trainer.poll() is None:
        with result.one_try():
            trainer.send_signal(signal.SIGSTOP)
            time.sleep(duration_s)
            trainer.send_signal(signal.SIGCONT)
        duration_s = 1.0
        time.sleep(chance.uniform(0.1, 0.4))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_trainer_that_is_frozen_and_thawed_ends_with_the_same_weights(outcome: OpenOutcome, tmp_path: Path) -> None:
    with (
        outcome(promise="3, 4", what="trainer frozen (SIGSTOP) and thawed: same weights") as result,
        ServiceProcess(*SERVE, *COUNTS) as service,
    ):
        in_peace = result_of(start_trainer(service.target, tmp_path / "peace"))
        trainer = start_trainer(service.target, tmp_path / "frozen")
        freeze_now_and_then(trainer, tmp_path / "frozen", result)
        assert result_of(trainer)["weights_digest"] == in_peace["weights_digest"]
        assert result.tries >= 2
