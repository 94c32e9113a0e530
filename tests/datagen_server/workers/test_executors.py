"""Processes as workers: this machine's own, and those of a real dask.distributed scheduler on loopback."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from datagen_server.cli import main
from datagen_server.shards.manifest import Plan
from datagen_server.shards.materialize import materialize
from datagen_server.workers.executors import Workers, dask_workers, process_workers
from shared.dataset.spec import Dataset
from shared.errors import ForeignDataset, StreamingError, UsageError
from tests.datagen_server.importing.running import files_of, request
from tests.datagen_server.importing.running import run as run_import
from tests.datagen_server.importing.sources.building import write
from tests.datagen_server.shards.building import TINY, InThisThread, content, one_worker, plan_of
from tests.shared.images.files import picture_file

pytestmark = pytest.mark.filterwarnings("default")  # Dask warns about itself.


@contextmanager
def cluster(num_workers: int) -> Iterator[str]:
    """The address of a scheduler."""
    local: Any = LocalCluster
    with local(
        n_workers=num_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as running:
        yield running.scheduler_address


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Has two workers."""
    with cluster(2) as address:
        yield address


def test_dask_workers_make_the_same_files(pristine: Path, tmp_path: Path, scheduler: str) -> None:
    plan = plan_of()
    materialize(tmp_path, plan, plan.shards, lambda: dask_workers(scheduler))
    assert content(tmp_path) == content(pristine)


def is_imported(module: str) -> bool:
    return module in sys.modules


def test_a_process_imports_what_it_will_be_asked_for_before_it_is_asked() -> None:
    function = import_module("colorsys").rgb_to_hsv  # This module, which workers import too, has it not.
    for functions, expected in (((function,), True), ((), False)):
        with process_workers(1, *functions) as workers:
            assert list(workers.map(is_imported, ["colorsys"])) == [expected]


def test_the_command_takes_a_scheduler(tmp_path: Path, scheduler: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "materialize", "--out", str(tmp_path), "--executor", "dask", "--scheduler", scheduler
    assert main([*arguments, "--count", "train=70", "test=10"]) == 0
    assert "2 shards made (80 samples" in capsys.readouterr().out


def test_dask_workers_import_the_same_files(tmp_path: Path, scheduler: str) -> None:
    files = {f"{n % 7}a_{n}.png": picture_file(*((160, 64), (100, 40))[n % 2], seed=n) for n in range(80)}
    wanted = request(write(tmp_path / "data", {**files, "bad_1.png": b"text"}))
    run_import(wanted, tmp_path / "here")
    run_import(wanted, tmp_path / "there", lambda: dask_workers(scheduler))
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")


def test_all_workers_of_the_scheduler_are_used(scheduler: str) -> None:
    with dask_workers(scheduler) as workers:
        assert workers.num_workers == 2


def test_dask_workers_that_draw_other_pixels_are_refused(tmp_path: Path, scheduler: str) -> None:
    plan = Plan(dataset=Dataset(spec=TINY, counts={"train": 3}, fingerprint="0" * 64))
    with pytest.raises(ForeignDataset, match="renders other pixels"):
        materialize(tmp_path, plan, plan.shards, lambda: dask_workers(scheduler))


def test_a_scheduler_without_workers_is_refused() -> None:
    with (
        cluster(0) as address,
        pytest.raises(UsageError, match="has no workers"),
        dask_workers(address, timeout_s=1),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_refused() -> None:
    nobody = "tcp://127.0.0.1:1"
    with pytest.raises(UsageError, match=f"no dask scheduler answers at {nobody}"), dask_workers(nobody, timeout_s=1):
        pass


def test_a_scheduler_that_is_lost_is_one_clear_line_and_finished_shards_stay(pristine: Path, tmp_path: Path) -> None:
    plan = plan_of()
    with ExitStack() as stack:
        address = stack.enter_context(cluster(1))

        @contextmanager
        def progress(_: int) -> Iterator[Callable[[int], None]]:
            yield lambda _: stack.close()

        with pytest.raises(StreamingError, match=r"rendering process was lost .*run it again"):
            materialize(tmp_path, plan, plan.shards, lambda: dask_workers(address), progress)
    assert not list(tmp_path.glob(".*.partial"))
    materialize(tmp_path, plan, plan.shards, one_worker)
    assert content(tmp_path) == content(pristine)


@contextmanager
def scheduler_and_worker(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A scheduler, and one worker that is started in `folder`, where this package is not."""
    with cluster(0) as address, ExitStack() as stack:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        worker = subprocess.Popen(
            [*command, "--no-nanny"], cwd=folder, env=environment, stderr=subprocess.DEVNULL, text=True
        )
        stack.callback(worker.wait)
        stack.callback(worker.kill)
        yield address, worker


def test_workers_without_this_package_are_one_line(tmp_path: Path) -> None:
    with (
        scheduler_and_worker(tmp_path) as (address, _),
        pytest.raises(UsageError, match="has no package datagen_server to import; install this package"),
        dask_workers(address, timeout_s=60),
    ):
        pass


def test_the_only_worker_lost_while_its_scheduler_lives_is_one_line(tmp_path: Path) -> None:
    with (
        scheduler_and_worker(Path.cwd()) as (address, worker),
        dask_workers(address, timeout_s=60) as workers,
    ):
        results = workers.map(time.sleep, [0.0, 600.0])
        worker.kill()
        started = time.monotonic()
        with pytest.raises(StreamingError, match=r"rendering process was lost .*run it again"):
            list(results)
        assert time.monotonic() - started < 30


def double(number: int) -> int:
    return 2 * number


def test_results_come_in_order_and_the_tasks_under_way_are_bounded() -> None:
    class Counting(InThisThread):
        num_waiting = most = 0

        def submit(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN003, ANN202
            Counting.num_waiting += 1
            Counting.most = max(Counting.most, Counting.num_waiting)
            return super().submit(*args, **kwargs)

    results = []
    for result in Workers(Counting(), 2).map(double, range(30)):
        Counting.num_waiting -= 1
        results.append(result)
    assert results == [double(number) for number in range(30)]
    assert Counting.most == 6
