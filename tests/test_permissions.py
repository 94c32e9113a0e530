"""Folders that may not be used: every command says so in one line, before the work."""

from pathlib import Path

import pytest

from tests.support.without_privileges import forbidden, run_without_privileges

_NO_SHARDS = "DIR is not a directory of shards that can be read: Permission denied"
COMMANDS = {
    "datagen_server serve --shards DIR --listen 127.0.0.1:0": _NO_SHARDS,
    "datagen_server inspect --shards DIR --split test --index 0": _NO_SHARDS,
    "datagen_server verify DIR": "cannot open the directory DIR: Permission denied",
    "datagen_server materialize --out DIR --count train=2 test=2": "cannot open the directory DIR: Permission denied",
    "trainer --run-dir DIR": "cannot write DIR: no permission to write DIR",
    "trainer --run-dir DIR --resume": "cannot write DIR: no permission to write DIR",
    "trainer --run-dir DIR/below": "cannot write DIR/below: no permission to write DIR",
    "trainer.receipts DIR": "cannot use DIR/receipts: Permission denied",
    "evaluator --ckpt DIR": "cannot use DIR/checkpoints: Permission denied",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_of_mode_000_is_one_line(command: str, tmp_path: Path) -> None:
    directory = tmp_path / "private"
    directory.mkdir()
    with forbidden(directory):
        done = run_without_privileges(*command.replace("DIR", str(directory)).split())
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert COMMANDS[command].replace("DIR", str(directory)) in done.stderr


@pytest.mark.parametrize("name", ["receipts", "checkpoints", "metrics.jsonl", "receipts/rank-0.jsonl"])
def test_a_part_of_a_run_that_cannot_be_written_is_found_before_the_training(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch() if path.suffix else path.mkdir()
    with forbidden(path):
        done = run_without_privileges("trainer", "--run-dir", str(tmp_path / "run"), "--datagen", "127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.startswith(f"trainer: cannot write {path}: no permission to write")
