"""TensorBoard event files: what they hold, after a restart too, and what happens when they cannot be written."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from shared.errors import UsageError
from trainer.config import TrainerConfig
from trainer.progress.tensorboard import TensorboardWriter, check_tensorboard, tensorboard_events
from trainer.run_dir import MetricsRow, RunDir

CONFIG = TrainerConfig(tensorboard=True)


def row_of(step: int, valid_accuracy: float | None = None) -> MetricsRow:
    return MetricsRow(
        step=step,
        epoch=1,
        loss=1 / step,
        grad_norm=2.0,
        lr=0.5,
        images_per_s=600.0,
        wait_share=0.25,
        elapsed_s=step * 1.5,
        rank_wait_shares=[0.25, 0.125],
        valid_accuracy=valid_accuracy,
    )


def events_in(folder: Path) -> list[Any]:
    """Of all files, oldest first. Records are: length (8 bytes), checksum (4), event, checksum (4)."""
    events = []
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            events.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return events


def test_each_log_interval_is_written_at_once_under_the_names_of_metrics_jsonl(tmp_path: Path) -> None:
    with tensorboard_events(CONFIG, RunDir(tmp_path), done=0) as (writer,):
        writer.log(row_of(50))
        found = {(e.step, v.tag): v.simple_value for e in events_in(tmp_path / "tensorboard") for v in e.summary.value}
        writer.log(row_of(100, valid_accuracy=0.75))
    expected = {
        "lr": 0.5,
        "grad_norm": 2.0,
        "images_per_s": 600.0,
        "wait_share/rank_0": 0.25,
        "wait_share/rank_1": 0.125,
    }
    assert found == pytest.approx({(50, name): value for name, value in (expected | {"loss": 0.02}).items()})
    last = [v for e in events_in(tmp_path / "tensorboard") if e.step == 100 for v in e.summary.value]
    assert [v.simple_value for v in last if v.tag == "valid_accuracy"] == [0.75]


def test_a_resumed_run_hides_what_was_written_of_later_steps(tmp_path: Path) -> None:
    for done in (0, 50):
        with tensorboard_events(CONFIG, RunDir(tmp_path), done) as (writer,):
            writer.log(row_of(done + 50))
    starts = [e.step for e in events_in(tmp_path / "tensorboard") if e.HasField("session_log")]
    assert starts == [51]


def test_a_full_disk_ends_the_events_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = TensorboardWriter(tmp_path, done=0)

    class FullDisk:
        def write_event(self, event: Any) -> None:
            raise OSError(28, "No space left on device")

    writer._writer = FullDisk()
    with caplog.at_level(logging.WARNING):
        writer.log(row_of(50))
        writer.log(row_of(100))
        writer.close()
    assert caplog.messages == ["no more TensorBoard events: No space left on device"]


def test_nothing_is_written_unless_asked_for(tmp_path: Path) -> None:
    with tensorboard_events(TrainerConfig(), RunDir(tmp_path), done=0) as observers:
        assert observers == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file")
    with (
        pytest.raises(UsageError, match=r"cannot write the run directory .*: File exists"),
        tensorboard_events(CONFIG, RunDir(tmp_path), done=0),
    ):
        pass


def test_without_the_package_the_refusal_says_how_to_get_it(tmp_path: Path) -> None:
    check_tensorboard(CONFIG)
    (tmp_path / "tensorboardX.py").write_text("raise ImportError")
    command = [sys.executable, "-m", "trainer", "--run-dir", str(tmp_path / "run"), "-o", "tensorboard=true"]
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = {command[3:]!r}; import runpy; "
    code += "runpy.run_module('trainer', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "trainer: tensorboard=true needs tensorboardX, which is not installed: pip install 'tensorboardX>=2.6.5'\n"
    )
    assert not (tmp_path / "run").exists()
