"""Heartbeats between the launchers of several hosts."""

from pathlib import Path

import pytest

from trainer.distributed.heartbeat import HostHeartbeats


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"node-{node}" for node in range(3)]
    for folder in found:
        folder.mkdir()
    return found


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock to turn."""
    clock = [1000.0]
    monkeypatch.setattr("trainer.distributed.heartbeat.time.monotonic", lambda: clock[0])
    return clock


def test_a_host_without_heartbeats_is_lost_after_some_seconds(folders: list[Path], now: list[float]) -> None:
    first, second = HostHeartbeats(folders, 0), HostHeartbeats(folders, 1)
    for _ in range(20):
        for host in (first, second):
            host.send()
            assert host.lost_host() is None
        now[0] += 1
    assert first.lost_host() is None
    now[0] += 7
    assert first.lost_host() is None
    now[0] += 2
    assert first.lost_host() == 1


@pytest.mark.parametrize(("succeeded", "lost"), [(False, 1), (True, None)])
def test_a_host_that_fails_is_lost_at_once_and_one_that_ends_well_never(
    succeeded: bool, lost: int | None, folders: list[Path], now: list[float]
) -> None:
    first, second = HostHeartbeats(folders, 0), HostHeartbeats(folders, 1)
    second.send()
    assert first.lost_host() is None
    second.finish(succeeded=succeeded)
    assert first.lost_host() == lost
    now[0] += 60
    assert first.lost_host() == lost


def test_what_an_earlier_run_left_means_nothing(folders: list[Path], now: list[float]) -> None:
    (folders[1] / "heartbeat").write_text("failed")
    (folders[2] / "heartbeat").write_text("17")
    first = HostHeartbeats(folders, 0)
    now[0] += 60
    assert first.lost_host() is None


def test_a_single_host_sends_no_heartbeat(tmp_path: Path) -> None:
    alone = HostHeartbeats([tmp_path], 0)
    alone.send()
    assert alone.lost_host() is None
    alone.finish(succeeded=True)
    assert not list(tmp_path.iterdir())
