"""What the launcher says while ranks wait for those of other hosts."""

from pathlib import Path

import pytest

from tests.trainer.distributed.test_placement import _table
from trainer.distributed.launcher import Launcher
from trainer.distributed.placement import Placement, place_by_table, place_on_this_host
from trainer.page.metrics_option import PageOptions
from trainer.progress.terminal import TrainingProgress
from trainer.run_dir import RunDir


def _reminders(placement: Placement, folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    launcher = Launcher(placement, RunDir(folder / "run"), TrainingProgress(), PageOptions())
    for _ in range(3):
        launcher._remind()
    return [record.getMessage() for record in caplog.records]


def test_ranks_that_wait_for_another_host_say_where(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    placement = place_by_table(_table(tmp_path, "127.0.0.1", "198.51.100.7"), None, None, None)
    (told,) = _reminders(placement, tmp_path, caplog)
    assert told.startswith("waiting for all 4 ranks of 2 hosts to meet at 127.0.0.1 port 8118; start the same command")


def test_ranks_of_one_host_wait_for_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert _reminders(place_on_this_host(2), tmp_path, caplog) == []
