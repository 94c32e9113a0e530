"""A service that is gone for good costs no step: they are saved, and the message says how to go on."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.datagen_server.processes import wait_until
from tests.support.services import ServiceProcess

SERVE = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--stop-with-stdin"
COUNTS = "--count", "train=400", "test=50"
KEYS = "hidden_size=16", "global_batch_size=8", "columns_per_frame=8", "save_checkpoint_steps=500", "log_steps=1"
NUM_STEPS = 150


def start(target: str, run_dir: Path, *more: str) -> "subprocess.Popen[str]":
    keys = [word for key in KEYS for word in ("-o", key)]
    command = [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), "--json", *keys]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(trainer: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = trainer.communicate(timeout=300)
    assert trainer.returncode == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


def lines(run_dir: Path) -> int:
    file = run_dir / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def steps_lost(service: ServiceProcess, run_dir: Path, *more: str, after: int = 20) -> int:
    """Of a run whose service is killed after so many steps and not started again."""
    trainer = start(service.target, run_dir, "--steps", str(NUM_STEPS), "--patience", "1", *more)
    wait_until(lambda: lines(run_dir) >= after or trainer.poll() is not None, "the first steps", 200)
    service.end(signal.SIGKILL)
    out, err = trainer.communicate(timeout=200)
    assert (trainer.returncode, out) == (1, ""), err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    found = re.search(r"; all (\d+) steps are saved in (\S+): continue with --resume$", last)
    assert found, last
    saved = json.loads(Path(found[2]).with_suffix(".json").read_text())
    assert saved["global_step"] == int(found[1])
    return lines(run_dir) - int(saved["global_step"])


def test_losing_the_service_loses_no_step(tmp_path: Path) -> None:
    check_no_step_is_lost(tmp_path, ())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_losing_the_service_loses_no_step_of_two_ranks(tmp_path: Path) -> None:
    check_no_step_is_lost(tmp_path, ("--ranks", "2"))


def check_no_step_is_lost(folder: Path, more: Sequence[str]) -> None:
    with ServiceProcess(*SERVE, *COUNTS) as service:
        undisturbed = result_of(start(service.target, folder / "undisturbed", "--steps", str(NUM_STEPS), *more))
        assert steps_lost(service, folder / "run", *more) == 0
        service.start()
        resumed = result_of(start(service.target, folder / "run", "--resume", *more))
    assert resumed["weights_digest"] == undisturbed["weights_digest"]
    proof = [sys.executable, "-m", "trainer.receipts", str(folder / "run")]
    assert subprocess.run(proof, check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_a_service_lost_before_the_first_step_leaves_nothing(tmp_path: Path) -> None:
    trainer = start("127.0.0.1:1", tmp_path / "run", "--patience", "1")
    _, err = trainer.communicate(timeout=60)
    assert trainer.returncode == 1
    assert err.startswith("trainer: no data set service answers at 127.0.0.1:1")
    assert not (tmp_path / "run").exists()
