"""The files of a run directory: started once, resumed as they were, cut without a moment at which they are lost."""

import json
import os
from pathlib import Path

import pytest

from shared.errors import UsageError
from trainer.config import TrainerConfig, load_config
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


def _checkpoint(run: RunDir, config: TrainerConfig) -> None:
    folder = run.checkpoint_folder(config)
    folder.mkdir()
    (folder / "warpctc-1-7.ckpt").touch()
    (folder / "warpctc-1-7.json").write_text(json.dumps({"config": config.model_dump(mode="json")}))


def test_each_key_of_the_configuration_that_was_changed_since_the_checkpoint_is_named(tmp_path: Path) -> None:
    run, config = RunDir(tmp_path / "run"), load_config({}, None, ["hidden_size=16"])
    run.begin(config)
    _checkpoint(run, config)
    assert run.reopen(None, ()) == config
    text = run.config_file.read_text().replace("seed: 0", "seed: 3").replace("learning_rate: 0.002", "learning_rate: 1")
    run.config_file.write_text(text)
    with pytest.raises(UsageError, match=r"learning_rate is 1\.0 and was 0\.002, seed is 3 and was 0; put the old"):
        run.reopen(None, ())


def test_an_emptied_configuration_is_refused_by_name(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.begin(load_config({}, None, ()))
    run.config_file.write_text("")
    with pytest.raises(UsageError, match=r"config\.yaml is empty"):
        run.reopen(None, ())


def test_the_configuration_is_written_once(tmp_path: Path) -> None:
    run, config = RunDir(tmp_path), load_config({}, None, ())
    run.begin(config)
    before = run.config_file.stat().st_ino
    run.begin(config)
    assert run.config_file.stat().st_ino == before


def test_files_that_could_not_be_written_are_named_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, config = RunDir(tmp_path), load_config({}, None, ())
    run.check_writable(config)
    run.receipts.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != run.receipts and access(path, mode))
    with pytest.raises(UsageError, match=r"cannot write .*receipts: no permission"):
        run.check_writable(config)


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
