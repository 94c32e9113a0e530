"""The files of a run directory: started once, resumed as they were, cut without a moment at which they are lost."""

import os
from pathlib import Path

import pytest

from shared.errors import UsageError
from trainer.config import load_config
from trainer.run_dir import MetricsRow, RunDir


def row(step: int) -> MetricsRow:
    return MetricsRow(step, 1, 2.0, 1.0, 0.01, 100.0, 0.1, 5.0, [0.1])


def test_a_run_is_started_once_and_resumed_with_its_own_configuration(tmp_path: Path) -> None:
    run, config = RunDir(tmp_path / "run"), load_config({}, None, ["hidden_size=16"])
    run.check_new()
    run.begin(config)
    assert run.reopen(None, ["hidden_size=16"]) == config
    with pytest.raises(UsageError, match="already holds a run"):
        run.check_new()
    with pytest.raises(UsageError, match="--resume cannot change hidden_size from 16 to 8"):
        run.reopen(None, ["hidden_size=8"])


def test_lines_after_the_checkpoint_and_half_lines_are_removed(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.cut_metrics(3)
    assert not run.metrics_file.exists()
    for step in (1, 2, 3, 4):
        run.append_metrics(row(step))
    lines = run.metrics_file.read_text().splitlines(keepends=True)
    run.metrics_file.write_text("".join(lines) + '{"step": 2, "lo')
    run.cut_metrics(3)
    assert run.metrics_file.read_text() == "".join(lines[:3])


def test_cutting_that_is_interrupted_leaves_all_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDir(tmp_path)
    for step in (1, 2):
        run.append_metrics(row(step))
    before = run.metrics_file.read_text()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.cut_metrics(1)
    assert run.metrics_file.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write the run directory .*file/run: Not a directory"):
        RunDir(tmp_path / "file" / "run").begin(load_config({}, None, ()))
