"""SIGKILL and full disks during import: nothing looks complete that is not, and reruns end as if undisturbed."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.shards.manifest import MANIFEST_NAME
from shared.errors import StreamingError
from tests.datagen_server.importing.running import files_of
from tests.datagen_server.importing.sources.building import write
from tests.datagen_server.processes import family_of, is_alive, wait_until
from tests.shared.images.files import picture_file
from tests.support.disks import small_disk
from tests.support.outcomes import OpenOutcome

OPTIONS = "--shard-size", "200", "--workers", "2", "--size", "80x32"
SIZES = {"fitted": ((160, 64), (100, 40), (600, 200)), "as they are": ((80, 32),)}
"Pictures that workers make records of, and pictures whose shards they fill."


@dataclass(frozen=True)
class Undisturbed:
    data: Path
    files: dict[str, bytes]
    duration_s: float


@pytest.fixture(scope="module", params=SIZES)
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    sizes = SIZES[request.param]
    files = {f"{n % 91}_{n}.png": picture_file(*sizes[n % len(sizes)], seed=n) for n in range(2000)}
    data = write(folder / "data", {**files, "bad_1.png": b"text"})
    started = time.monotonic()
    assert start(data, folder / "out").wait() == 0
    return Undisturbed(data, files_of(folder / "out"), time.monotonic() - started)


def start(data: Path, out: Path) -> "subprocess.Popen[str]":
    command = sys.executable, "-m", "datagen_server", "import", str(data), "--out", str(out), *OPTIONS
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True)


def kill_after(delay_s: float, data: Path, out: Path) -> bool:
    """Starts an import and kills it; whether it was still running."""
    process = start(data, out)
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        workers = family_of(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: not any(is_alive(worker) for worker in workers), "the workers to notice")
    return process.returncode == -signal.SIGKILL


def kill_and_rerun(moments: int, undisturbed: Undisturbed, root: Path, seed: int) -> dict[str, int]:
    """Kills each import up to three times at random moments; the rerun must end like the undisturbed one."""
    chance = random.Random(seed)
    figures = {"killed": 0, "with shards": 0, "with manifest": 0}
    number = 0
    while figures["killed"] < moments:
        out = root / str(number)
        number += 1
        for _ in range(chance.randint(1, 3)):
            if not kill_after(chance.uniform(0.1, undisturbed.duration_s), undisturbed.data, out):
                break
            figures["killed"] += 1
            found = files_of(out) if out.exists() else {}
            assert found.items() <= undisturbed.files.items()
            assert MANIFEST_NAME not in found or found == undisturbed.files
            figures["with shards"] += any(name.endswith(".lmdb") for name in found)
            figures["with manifest"] += MANIFEST_NAME in found
        assert start(undisturbed.data, out).wait() == 0
        assert files_of(out) == undisturbed.files
        assert not (out / ".import").exists()
        assert not list(out.glob(".*.partial"))
    return figures


def test_a_killed_import_goes_on_and_gives_the_same(undisturbed: Undisturbed, tmp_path: Path) -> None:
    kill_and_rerun(2, undisturbed, tmp_path, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_thirty_kills(undisturbed: Undisturbed, tmp_path: Path, outcome: OpenOutcome) -> None:
    with outcome(promise="7, 10", what="import killed (SIGKILL) and run again: same bytes") as result:
        result.tries = 30
        figures = kill_and_rerun(30, undisturbed, tmp_path, seed=2)
        result.note = f"{figures['with shards']} with shards there at the kill, {figures['with manifest']} complete"


@pytest.mark.parametrize("size_kb", [100, 1000, 5000])
def test_a_full_disk_is_one_line_and_the_rerun_ends_as_if_undisturbed(
    undisturbed: Undisturbed, tmp_path: Path, size_kb: int
) -> None:
    with small_disk(tmp_path / "disk", size_kb):
        with pytest.raises(StreamingError, match="no space left for") as caught:
            main(["import", str(undisturbed.data), "--out", str(tmp_path / "disk" / "out"), *OPTIONS])
        assert "\n" not in str(caught.value)
        subprocess.run(["mount", "-o", "remount,size=500m", str(tmp_path / "disk")], check=True)
        assert main(["import", str(undisturbed.data), "--out", str(tmp_path / "disk" / "out"), *OPTIONS]) == 0
        assert files_of(tmp_path / "disk" / "out") == undisturbed.files
