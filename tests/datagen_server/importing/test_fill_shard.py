"""Pictures that are stored as they were looked at: workers fill their shards, and nothing can tell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datagen_server.importing import write_samples
from datagen_server.importing.fill_shard import ShardTask, fill_shard
from datagen_server.shards.verify import verify
from datagen_server.workers.executors import Workers, process_workers
from shared.errors import StreamingError
from tests.datagen_server.importing.running import files_of, request, run
from tests.datagen_server.importing.sources.building import write
from tests.datagen_server.shards.building import InThisThread
from tests.shared.images.files import picture_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """200 pictures of one size: twelve shards, the largest with more than one transaction."""
    files = {f"{number % 7}x_{number}.png": picture_file(seed=number) for number in range(200)}
    return write(tmp_path / "data", files)


@contextmanager
def elsewhere() -> Iterator[Workers]:
    """Workers that see no file of ours."""
    yield Workers(InThisThread(), 1, are_here=False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[ShardTask]:
    """What `fill_shard` was called with."""
    made: list[ShardTask] = []

    def noted(task: ShardTask) -> tuple[Path, int]:
        made.append(task)
        return fill_shard(task)

    monkeypatch.setattr(write_samples, "fill_shard", noted)
    return made


@pytest.mark.parametrize("shard_size", [16, 100, 1000])
def test_workers_here_and_elsewhere_give_the_same_bytes(
    data: Path, tmp_path: Path, shard_size: int, calls: list[ShardTask]
) -> None:
    wanted = request(data, shard_size=shard_size)
    run(wanted, tmp_path / "elsewhere", elsewhere)
    assert not calls
    run(wanted, tmp_path / "here")
    assert calls
    assert files_of(tmp_path / "here") == files_of(tmp_path / "elsewhere")


def test_processes_fill_the_shards_whole(data: Path, tmp_path: Path) -> None:
    run(request(data), tmp_path / "here", lambda: process_workers(3))
    run(request(data), tmp_path / "elsewhere", elsewhere)
    assert files_of(tmp_path / "here") == files_of(tmp_path / "elsewhere")
    assert verify(tmp_path / "here").findings == ()


def test_pictures_of_other_sizes_are_not_stored_as_they_are(data: Path, tmp_path: Path, calls: list[ShardTask]) -> None:
    write(data, {"z_1.png": picture_file(50, 30, seed=1000)})
    run(request(data), tmp_path / "out")
    assert not calls


def interrupted(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, fill: Callable[[ShardTask], object]) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(write_samples, "fill_shard", fill)
        with pytest.raises(StreamingError):
            run(request(data), out)


def partials(folder: Path) -> list[str]:
    """Of shards: the description of the set may be written meanwhile."""
    return [path.name for path in folder.iterdir() if ".lmdb." in path.name and path.name.endswith(".partial")]


def test_what_a_worker_leaves_is_cleared_away_and_the_rest_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_filled = 0

    def fail(task: ShardTask) -> tuple[Path, int]:
        nonlocal num_filled
        (task.directory / f".{task.shard.file}.1-a{num_filled}.partial").write_bytes(b"of a worker that was killed")
        if num_filled == 3:
            raise StreamingError("no space left")
        num_filled += 1
        return fill_shard(task)

    out = tmp_path / "out"
    interrupted(data, out, monkeypatch, fail)
    assert not partials(out)
    finished = {name: (out / name).stat().st_mtime_ns for name in files_of(out) if name.endswith(".lmdb")}
    assert len(finished) == 3
    run(request(data), out)
    assert {name: (out / name).stat().st_mtime_ns for name in finished} == finished
    run(request(data), tmp_path / "whole", elsewhere)
    assert files_of(out) == files_of(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["orphaned", "pixels"])
def test_a_worker_gives_up_and_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """When the process that asked is gone, and when the scratch is not what it was."""

    def fill(task: ShardTask) -> tuple[Path, int]:
        if damage == "orphaned":
            monkeypatch.setattr("datagen_server.importing.fill_shard.is_orphaned", lambda: True)
        else:
            task.pixels.write_bytes(bytes(task.pixels.stat().st_size))
        with pytest.raises(StreamingError, match="is gone" if damage == "orphaned" else "is damaged; run it again"):
            fill_shard(task)
        assert not partials(task.directory)
        raise StreamingError("enough seen")

    interrupted(data, tmp_path / "out", monkeypatch, fill)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_shard_gets_its_name_from_its_owner_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(task: ShardTask) -> tuple[Path, int]:
        partial, _ = fill_shard(task)
        assert partials(task.directory) == [partial.name]
        assert not (task.directory / task.shard.file).exists()
        raise StreamingError("enough seen")

    interrupted(data, tmp_path / "out", monkeypatch, fill)
