"""Which process of a run failed, and why: over event files and real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import StreamingError, UsageError
from trainer.distributed.placement import place_on_this_host
from trainer.distributed.rank_events import EventKind, RankEventWriter, events_file
from trainer.distributed.rank_monitor import RankMonitor


@pytest.fixture
def msrun() -> Iterator[int]:
    """A process id. It has no children, as msrun has none when its ranks are gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid


def monitor_of(folder: Path) -> RankMonitor:
    return RankMonitor(place_on_this_host(2), folder)


def write(folder: Path, name: str, kind: EventKind, **values: object) -> None:
    with closing(RankEventWriter(events_file(folder, name))) as writer:
        writer.write(kind, **values)


def test_events_come_with_the_rank_that_wrote_them(tmp_path: Path) -> None:
    monitor = monitor_of(tmp_path)
    write(tmp_path, "1", EventKind.TRAINING, rank=1)
    assert [(rank, event["kind"]) for rank, event in monitor.read()] == [(1, "started"), (1, "training")]
    assert not monitor.all_have(EventKind.TRAINING)
    assert monitor.pids() == {os.getpid()}


def test_an_error_of_this_project_comes_before_errors_of_mindspore_whoever_wrote_first(
    tmp_path: Path, msrun: int
) -> None:
    monitor = monitor_of(tmp_path)
    write(tmp_path, "0", EventKind.FAILED, message="RuntimeError: lost", exit_code=1, is_expected=False)
    write(tmp_path, "1", EventKind.FAILED, message="no such split", exit_code=2, is_expected=True)
    monitor.read()
    with pytest.raises(UsageError, match=r"^rank 1: no such split$"):
        monitor.check(msrun)


def start_and_die(folder: Path, name: str) -> None:
    program = "from pathlib import Path; from trainer.distributed.rank_events import RankEventWriter"
    program += f"; RankEventWriter(Path({str(events_file(folder, name))!r}))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_process_that_is_gone_without_an_error_is_named_with_its_log(tmp_path: Path, msrun: int) -> None:
    monitor = monitor_of(tmp_path)
    start_and_die(tmp_path, "1")
    monitor.read()
    with pytest.raises(StreamingError, match=rf"rank 1 died without an error message, .* {tmp_path}/worker_1\.log"):
        monitor.check(msrun)


@pytest.mark.parametrize(("is_missed_before", "named"), [(False, "rank 1"), (True, "rank 0")])
def test_of_one_that_died_and_one_that_never_spoke_the_first_to_be_missed_is_named(
    tmp_path: Path, msrun: int, is_missed_before: bool, named: str
) -> None:
    monitor = monitor_of(tmp_path)
    (tmp_path / "worker_0.log").touch()
    if is_missed_before:
        monitor.check(msrun)
    start_and_die(tmp_path, "1")
    monitor.read()
    with pytest.raises(StreamingError, match=f"^{named} died without an error message"):
        monitor.check(msrun)


@pytest.mark.parametrize("first", ["0", "1"])
def test_of_two_that_died_the_one_is_named_that_msrun_saw_first(tmp_path: Path, msrun: int, first: str) -> None:
    monitor = monitor_of(tmp_path)
    for name in "01":
        start_and_die(tmp_path, name)
    monitor.read()
    pid = next(rank.pid for rank in monitor.ranks if rank.name == first)
    (tmp_path / "msrun.log").write_text(f"[ERROR] Worker process {pid} exit with exception. Error code: -9.\n")
    with pytest.raises(StreamingError, match=f"^rank {first} died without an error message"):
        monitor.check(msrun)


def test_msrun_saw_one_die_that_never_spoke(tmp_path: Path, msrun: int) -> None:
    monitor = monitor_of(tmp_path)
    (tmp_path / "worker_0.log").touch()
    start_and_die(tmp_path, "1")
    monitor.read()
    (tmp_path / "msrun.log").write_text("[ERROR] Worker process 1 exit with exception. Error code: -9.\n")
    with pytest.raises(StreamingError, match=r"^rank 0 died without an error message"):
        monitor.check(msrun)


def test_a_process_that_finished_is_not_missed(tmp_path: Path) -> None:
    monitor = monitor_of(tmp_path)
    write(tmp_path, "0", EventKind.FINISHED, summary={})
    write(tmp_path, "1", EventKind.FINISHED, summary={})
    monitor.read()
    monitor.check(msrun=None)
    assert monitor.all_have(EventKind.FINISHED)
