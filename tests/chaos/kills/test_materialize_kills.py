"""SIGKILL and full disks during materialize: nothing looks complete that is not, and reruns end as if undisturbed."""

import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.shards.manifest import MANIFEST_NAME, Manifest, Plan
from datagen_server.shards.shard_writer import ShardWriter
from datagen_server.shards.verify import verify
from shared.errors import StreamingError
from tests.datagen_server.processes import family_of, is_alive, wait_until
from tests.datagen_server.shards.building import content
from tests.support.disks import small_disk
from tests.support.outcomes import OpenOutcome

COUNTS = "--count", "train=500", "test=100"
OPTIONS = *COUNTS, "--shard-size", "64", "--workers", "2"
NUM_SHARDS = 10


@dataclass(frozen=True)
class Undisturbed:
    directory: Path
    plan: Plan
    duration_s: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    directory = tmp_path_factory.mktemp("undisturbed") / "shards"
    started = time.monotonic()
    start(directory).wait()
    return Undisturbed(directory, Manifest.read(directory).plan, time.monotonic() - started)


def start(directory: Path) -> "subprocess.Popen[str]":
    command = sys.executable, "-m", "datagen_server", "materialize", "--out", str(directory), *OPTIONS
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True)


def kill_after(delay_s: float, directory: Path) -> bool:
    """Starts materialize and kills it; whether it was still running."""
    process = start(directory)
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        workers = family_of(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: not any(is_alive(worker) for worker in workers), "the workers to notice")
    return process.returncode == -signal.SIGKILL


def assert_what_looks_complete_is(directory: Path, undisturbed: Undisturbed) -> int:
    """Every file that has a shard's name, and the manifest, is what an undisturbed run writes; returns how many."""
    expected = content(undisturbed.directory)
    found = content(directory) if directory.exists() else {}
    for name, data in found.items():
        assert data == expected[name], f"{name} looks complete and is not"
    assert (MANIFEST_NAME in found) <= (len(found) == NUM_SHARDS + 1)
    return len(found)


def kill_and_rerun(moments: int, undisturbed: Undisturbed, root: Path, seed: int) -> dict[str, int]:
    """Kills at random moments of a run, each in a new directory; the rerun must end like the undisturbed run."""
    chance = random.Random(seed)
    figures = {"killed": 0, "shards there": 0}
    for number in range(moments):
        directory = root / str(number)
        while not kill_after(chance.uniform(0.1, undisturbed.duration_s), directory):
            shutil.rmtree(directory)
        figures["killed"] += 1
        figures["shards there"] += assert_what_looks_complete_is(directory, undisturbed)
        assert start(directory).wait() == 0
        assert content(directory) == content(undisturbed.directory)
        assert not list(directory.glob(".*.partial"))
        shutil.rmtree(directory)
    return figures


def test_killed_runs_leave_whole_shards_only(undisturbed: Undisturbed, tmp_path: Path) -> None:
    kill_and_rerun(2, undisturbed, tmp_path, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_fifty_killed_runs_leave_whole_shards_only(
    undisturbed: Undisturbed, tmp_path: Path, outcome: OpenOutcome
) -> None:
    with outcome(promise="7", what="materialize killed (SIGKILL) and run again: same digest") as result:
        result.tries = 50
        figures = kill_and_rerun(50, undisturbed, tmp_path, seed=2)
        assert figures["killed"] == 50
        result.note = f"{figures['shards there']} files there at the kills, all whole"


@pytest.mark.long
def test_a_run_killed_again_and_again_gets_there(
    undisturbed: Undisturbed, tmp_path: Path, outcome: OpenOutcome
) -> None:
    chance = random.Random(3)
    with outcome(promise="7", what="materialize killed again and again until complete") as result:
        while kill_after(chance.uniform(0.5, 0.8) * undisturbed.duration_s, tmp_path / "shards"):
            result.tries += 1
            assert_what_looks_complete_is(tmp_path / "shards", undisturbed)
        assert content(tmp_path / "shards") == content(undisturbed.directory)


def fill_and_rerun(size_kb: int, undisturbed: Undisturbed, directory: Path) -> int:
    """Runs on a disk that is too small, then makes room; returns how many files were there when it was full."""
    with small_disk(directory, size_kb):
        with pytest.raises(StreamingError, match=f"no space left for {directory}") as caught:
            main(["materialize", "--out", str(directory), *OPTIONS])
        assert "\n" not in str(caught.value)
        assert not list(directory.glob(".*.partial"))
        num_found = assert_what_looks_complete_is(directory, undisturbed)
        subprocess.run(["mount", "-o", "remount,size=100m", str(directory)], check=True)
        assert main(["materialize", "--out", str(directory), *OPTIONS]) == 0
        assert content(directory) == content(undisturbed.directory)
        assert not verify(directory).findings
    return num_found


def test_a_full_disk_is_one_clear_line_and_the_rerun_ends_as_if_undisturbed(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    fill_and_rerun(2000, undisturbed, tmp_path / "disk")


def test_a_shard_without_room_for_its_first_pages_leaves_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4):
        with pytest.raises(StreamingError, match="no space left"):
            ShardWriter(tmp_path / "disk", undisturbed.plan, undisturbed.plan.shards[0])
        assert not list((tmp_path / "disk").iterdir())


@pytest.mark.long
def test_disks_of_many_sizes_get_full_without_harm(
    undisturbed: Undisturbed, tmp_path: Path, outcome: OpenOutcome
) -> None:
    total_kb = sum(len(data) for data in content(undisturbed.directory).values()) // 1024
    chance = random.Random(4)
    sizes = [chance.randrange(100, total_kb - 50) for _ in range(20)]
    with outcome(promise="7, 9", what="disk full: one clear line, and the rerun is equal") as result:
        result.tries = len(sizes)
        files = [fill_and_rerun(size, undisturbed, tmp_path / str(number)) for number, size in enumerate(sizes)]
        result.note = f"disks of {min(sizes)} to {max(sizes)} kB; {sum(files)} files there, all whole"
