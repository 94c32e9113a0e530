"""Other people's machines: two owners, full disks, a full standard error, few handles, a service gone for good."""

import errno
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from datagen_server.cli import main
from tests.datagen_server.processes import wait_until
from tests.datagen_server.shards.building import TINY, build, plan_of
from tests.support.disks import small_disk
from tests.support.outcomes import OpenOutcome
from tests.support.services import ServiceProcess
from tests.trainer.training.runs.test_lost_service import COUNTS, SERVE, lines, start, steps_lost

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
SMALL = ["-o", "hidden_size=16", "-o", "batch_size=8", "-o", "columns_per_frame=8", "-o", "log_steps=1", "--json"]


def command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def run(words: Sequence[str], before: str = "", after: str = "") -> "subprocess.CompletedProcess[str]":
    """Of a shell, with what stands before and after the command."""
    shell = f"{before} exec {shlex.join(words)} {after}"
    return subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=600, check=False)


def test_a_run_directory_has_one_owner(outcome: OpenOutcome, tmp_path: Path) -> None:
    with (
        outcome(promise="11", what="a second training or --resume in a run directory refused") as result,
        ServiceProcess(*SERVE, *COUNTS) as service,
    ):
        run_dir = tmp_path / "run"
        first = start(service.target, run_dir, "--steps", "1000000")
        wait_until(lambda: lines(run_dir) > 0 or first.poll() is not None, "the first step", 200)
        for number in range(20):
            more = ("--resume",) if number % 2 else ("--steps", "5")
            with result.one_try():
                second = start(service.target, run_dir, *more)
                _, err = second.communicate(timeout=100)
                assert (second.returncode, "another process is at work in" in err) == (2, True), err
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate(timeout=100)
        assert first.returncode == 130, err
        assert f'"steps": {lines(run_dir)},' in out


def test_a_full_standard_error_ends_no_job(outcome: OpenOutcome, tmp_path: Path) -> None:
    jobs = [
        command("trainer", "--run-dir", str(tmp_path / "run"), "--steps", "20", *SMALL),
        command("trainer", "--run-dir", str(tmp_path / "ranks"), "--steps", "20", "--ranks", "2", *SMALL),
        command("datagen_server", "materialize", "--out", str(tmp_path / "shards"), *COUNTS, "--json"),
        command("evaluator", "--ckpt", str(tmp_path / "run"), "--json"),
    ]
    with outcome(promise="11", what="standard error full or closed: trainer, ranks, materialize, evaluator") as result:
        for job in jobs:
            with result.one_try():
                done = run(job, after="2>/dev/full")
                assert done.returncode == 0
                assert done.stdout.strip()
        with result.one_try():
            done = run(command("trainer", "--run-dir", str(tmp_path / "closed"), "--steps", "20", *SMALL), after="2>&-")
            assert done.returncode == 0
            assert done.stdout.count("\n") == 1


def test_a_full_disk_in_training_is_one_line_with_the_path(outcome: OpenOutcome, tmp_path: Path) -> None:
    with outcome(promise="9, 11", what="disk full in training: one line, then resumed with room") as result:
        for number, ranks in enumerate(("1", "2")):
            directory = tmp_path / f"disk-{number}"
            job = command("trainer", "--run-dir", str(directory / "run"), "--ranks", ranks, *SMALL)
            with small_disk(directory, 1500), result.one_try():
                failed = run([*job, "-o", "save_checkpoint_steps=10", "--steps", "300"])
                assert failed.returncode == 1, failed.stderr
                progress = ("step ", "training for", "compiling")
                said = [line for line in failed.stderr.splitlines() if not line.startswith(progress)]
                assert len(said) == 1, said
                assert f"no space left for {directory}/run" in said[0]
                subprocess.run(["mount", "-o", "remount,size=100m", str(directory)], check=True)
                assert run([*job, "--resume"]).returncode == 0


def test_directories_that_cannot_be_synced_are_written_all_the_same(
    outcome: OpenOutcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr("shared.system.atomic_file.os", SimpleNamespace(**{**vars(os), "fsync": fsync}))
    with outcome(promise="7", what="directory fsync answers EINVAL: shards written and verified") as result:
        for number in range(3):
            out = str(tmp_path / str(number))
            with result.one_try():
                assert main(["materialize", "--out", out, "--count", "train=20", "test=5", "--workers", "1"]) == 0
                assert main(["verify", out]) == 0


def test_48_handles_call_no_healthy_shard_damaged(outcome: OpenOutcome, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    build(shards, plan_of(TINY, {"train": 60}, shard_size=1))
    jobs = (
        command("datagen_server", "verify", str(shards)),
        command("datagen_server", "inspect", "--shards", str(shards), "--split", "train", "--index", "59"),
        command(
            "datagen_server", "preview", "--shards", str(shards), "--count", "60", "--out", str(tmp_path / "a.png")
        ),
    )
    with outcome(promise="6", what="48 file handles: no healthy shard is called damaged") as result:
        for job in jobs:
            with result.one_try():
                done = run(job, before="ulimit -n 48;")
                assert (done.returncode, "damaged" in done.stderr, "repair" in done.stderr) == (0, False, False), (
                    done.stderr
                )


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_service_that_is_gone_for_good_costs_no_step(ranks: str, outcome: OpenOutcome, tmp_path: Path) -> None:
    with outcome(promise="11", what=f"service gone for good, {ranks} ranks: steps lost 0") as result:
        for number, after in enumerate((1, 30)):
            with ServiceProcess(*SERVE, *COUNTS) as service, result.one_try():
                assert steps_lost(service, tmp_path / str(number), "--ranks", ranks, after=after) == 0


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_run_that_is_stopped_while_its_service_is_gone_loses_no_step(
    ranks: str, outcome: OpenOutcome, tmp_path: Path
) -> None:
    with outcome(
        promise="11", what=f"Ctrl-C or SIGTERM while the service is gone, {ranks} ranks: steps lost 0"
    ) as result:
        for number in (signal.SIGINT, signal.SIGTERM):
            with result.one_try():
                assert steps_lost_when_stopped(number, tmp_path / number.name, "--ranks", ranks) == 0


def steps_lost_when_stopped(number: signal.Signals, run_dir: Path, *more: str) -> int:
    """Of a run that gets a signal while its service is gone and all that was read ahead is consumed."""
    with ServiceProcess(*SERVE, *COUNTS) as service:
        trainer = start(service.target, run_dir, "--steps", "1000000", *more)
        wait_until(lambda: lines(run_dir) >= 10 or trainer.poll() is not None, "the first steps", 200)
        service.end(signal.SIGKILL)
        wait_for_silence(run_dir)
        trainer.send_signal(number)
        _, err = trainer.communicate(timeout=60)
    assert trainer.returncode >= 128, err
    assert "Traceback" not in err
    (saved,) = (json.loads(file.read_text()) for file in (run_dir / "checkpoints").glob("*.json"))
    return lines(run_dir) - int(saved["global_step"])


def wait_for_silence(run_dir: Path) -> None:
    """Until no step has been taken for some seconds: all that was read ahead is consumed."""
    num_lines, since = -1, time.monotonic()
    while time.monotonic() < since + 6:
        if lines(run_dir) != num_lines:
            num_lines, since = lines(run_dir), time.monotonic()
        time.sleep(0.2)
