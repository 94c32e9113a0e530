"""Signs of life between the launchers of several hosts."""

from pathlib import Path

import pytest

from trainer.distributed.heartbeat import Peers


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


def test_a_host_without_signs_is_lost_after_some_seconds(folders: list[Path], now: list[float]) -> None:
    first, second = Peers(folders, 0), Peers(folders, 1)
    for _ in range(20):
        assert first.lost() is None
        assert second.lost() is None
        now[0] += 1
    assert first.lost() is None
    now[0] += 7
    assert first.lost() is None
    now[0] += 2
    assert first.lost() == 1


@pytest.mark.parametrize(("well", "lost"), [(False, 1), (True, None)])
def test_a_host_that_fails_is_lost_at_once_and_one_that_ends_well_never(
    well: bool, lost: int | None, folders: list[Path], now: list[float]
) -> None:
    first, second = Peers(folders, 0), Peers(folders, 1)
    assert (second.lost(), first.lost()) == (None, None)
    second.leave(well=well)
    assert first.lost() == lost
    now[0] += 60
    assert first.lost() == lost


def test_what_an_earlier_run_left_says_nothing(folders: list[Path], now: list[float]) -> None:
    (folders[1] / "launcher").write_text("failed")
    (folders[2] / "launcher").write_text("17")
    first = Peers(folders, 0)
    now[0] += 60
    assert first.lost() is None


def test_one_host_alone_leaves_no_sign(tmp_path: Path) -> None:
    alone = Peers([tmp_path], 0)
    assert alone.lost() is None
    alone.leave(well=True)
    assert not list(tmp_path.iterdir())
