"""A run directory has one owner, and a start that fails leaves nothing in it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.system.directory_lock import lock_directory
from shared.system.embedded_service import embedded_service

SMALL = ["hidden_size=16", "batch_size=8", "columns_per_frame=8", "log_steps=1"]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with embedded_service(counts={"train": 200, "test": 50}, num_workers=1) as target:
        yield target


def command(target: str, run_dir: Path, *more: str) -> list[str]:
    keys = [part for key in SMALL for part in ("-o", key)]
    return [sys.executable, "-m", "trainer", "--datagen", target, "--run-dir", str(run_dir), *keys, "--json", *more]


def end_of(target: str, run_dir: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(target, run_dir, *more), capture_output=True, text=True, timeout=120, check=False)


def test_a_second_training_in_a_run_directory_is_refused_and_the_first_goes_on(service: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    first = subprocess.Popen(
        command(service, run_dir, "--steps", "100000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while first.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.02)
    for more in ((), ("--resume",)):
        second = end_of(service, run_dir, *more)
        assert second.returncode == 2
        assert second.stderr == f"trainer: another process is at work in {run_dir}; wait for it to end\n"
    first.send_signal(signal.SIGTERM)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 130, err
    steps = [json.loads(line)["step"] for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, json.loads(out)["steps"] + 1))


def test_ranks_that_are_stopped_before_the_first_step_say_so_and_their_directory_is_free(
    service: str, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    ranks = "--ranks", "2", "-o", "global_batch_size=8", "--steps", "2"
    first = subprocess.Popen(
        command(service, run_dir, *ranks), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while first.poll() is None and not (run_dir / "logs" / "msrun.log").exists():
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    assert first.communicate(timeout=60) == ("", "trainer: terminated\n")
    assert first.returncode == 143
    assert end_of(service, run_dir, "--steps", "2").returncode == 0


def test_a_launcher_of_ranks_respects_the_owner(tmp_path: Path) -> None:
    with lock_directory(tmp_path):
        done = end_of("127.0.0.1:1", tmp_path, "--ranks", "2")
    assert done.returncode == 2
    assert done.stderr == f"trainer: another process is at work in {tmp_path}; wait for it to end\n"


def test_after_a_start_that_failed_the_corrected_command_just_works(service: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for more, message in (
            (("--metrics-listen", address), "cannot listen on"),
            (("-o", "global_batch_size=201"), "global_batch_size must be at most the split's 200 samples"),
        ):
            failed = end_of(service, run_dir, "--steps", "2", *more)
            assert failed.returncode == 2, failed.stderr
            assert message in failed.stderr
            assert not run_dir.exists()
    done = end_of(service, run_dir, "--steps", "2")
    assert done.returncode == 0, done.stderr


def test_a_failed_resume_leaves_the_run_as_it_was(service: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    assert end_of(service, run_dir, "--steps", "3").returncode == 0
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = end_of(service, run_dir, "--resume", "--metrics-listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert failed.returncode == 2
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
