import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path

import numpy as np
import pytest

from datagen_server.workers.pool import WorkerPool
from shared.errors import InvalidRequest, Unavailable, UsageError
from tests.datagen_server.processes import children, family_of, is_alive, wait_until, workers_of

TIMEOUT_S = 60
OWNER = """
import sys, time
from datagen_server.workers.pool import WorkerPool
pool = WorkerPool(3)
pool.submit(time.sleep, 0).result()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print(pool.submit(len, "four").result(), flush=True)
"""


@pytest.fixture
def others() -> set[int]:
    """The child processes that are not the pool's."""
    return children()


@pytest.fixture
def pool(others: set[int]) -> Iterator[WorkerPool]:
    with WorkerPool(2) as pool:
        yield pool


@pytest.fixture
def owner() -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_large_calls_and_large_answers_do_not_wait_for_each_other() -> None:
    with WorkerPool(1, ahead=2) as pool:
        futures = [pool.submit(bytes.upper, bytes(2**22)) for _ in range(6)]
        assert [len(future.result(TIMEOUT_S)) for future in futures] == [2**22] * 6


def test_it_runs_what_it_is_given_in_other_processes(pool: WorkerPool) -> None:
    processes = {pool.submit(os.getpid).result(TIMEOUT_S) for _ in range(8)}
    assert processes <= workers_of()
    assert list(pool.map(math.sqrt, [1, 4, 9])) == [1, 2, 3]
    assert pool.submit(int, "ff", base=16).result(TIMEOUT_S) == 255


@pytest.mark.parametrize("size", [0, 1, 1_000_000, 9_000_000])
def test_arrays_of_any_size_come_back(pool: WorkerPool, size: int) -> None:
    for start in (0, 3, 7):
        result = pool.submit(np.arange, start, start + size, dtype=np.uint8).result(TIMEOUT_S)
        assert np.array_equal(result, np.arange(start, start + size, dtype=np.uint8))


def test_results_stay_what_they_were_when_others_follow(pool: WorkerPool) -> None:
    futures = [pool.submit(np.full, 100_000, number) for number in range(50)]
    results = [future.result(TIMEOUT_S) for future in futures]
    assert all((result == number).all() for number, result in enumerate(results))


def test_exceptions_come_back(pool: WorkerPool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        pool.submit(int, "x").result(TIMEOUT_S)
    with pytest.raises(ZeroDivisionError) as caught:
        pool.submit(divmod, 1, 0).result(TIMEOUT_S)
    assert "In a worker process: Traceback" in caught.value.__notes__[0]


def test_what_cannot_be_pickled_is_an_exception_too(pool: WorkerPool) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(threading.Lock).result(TIMEOUT_S)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        pool.submit(fail_with_two_arguments).result(TIMEOUT_S)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pool.submit(lambda: 1)


def fail_with_two_arguments() -> None:
    raise InvalidRequest("field", "problem")


def test_a_task_that_kills_its_workers_fails_and_the_others_do_not(pool: WorkerPool) -> None:
    deadly = pool.submit(os._exit, 3)
    others = [pool.submit(abs, -number) for number in range(50)]
    with pytest.raises(Unavailable, match="3 worker processes died at one task, the last with status 3"):
        deadly.result(TIMEOUT_S)
    assert [future.result(TIMEOUT_S) for future in others] == list(range(50))


@pytest.mark.parametrize("killed", ["workers", "fork server", "all", "fork server, then workers"])
def test_processes_killed_while_idle_are_replaced(pool: WorkerPool, others: set[int], killed: str) -> None:
    pool.submit(abs, 1).result(TIMEOUT_S)
    (server,) = children() - others
    wait_until(lambda: len(children(server)) == 2, "both workers")
    parts = {"workers": children(server), "fork server": {server}, "all": {server, *children(server)}}
    for processes in [parts[part] for part in killed.split(", then ")]:
        for process in processes:
            os.kill(process, signal.SIGKILL)
        assert [pool.submit(abs, -number).result(TIMEOUT_S) for number in range(8)] == list(range(8))


def test_a_worker_that_dies_after_its_fork_server_is_replaced(pool: WorkerPool, others: set[int]) -> None:
    worker = pool.submit(os.getpid).result(TIMEOUT_S)
    (server,) = children() - others
    os.kill(server, signal.SIGKILL)
    with pytest.raises(Unavailable, match="3 worker processes died at one task, the last with status 3"):
        pool.submit(os._exit, 3).result(TIMEOUT_S)
    assert {pool.submit(os.getpid).result(TIMEOUT_S) for _ in range(8)} <= workers_of() | {worker}


def test_a_warm_up_that_dies_fails_the_tasks() -> None:
    with WorkerPool(1, warm_up=os.abort) as pool, pytest.raises(Unavailable, match="with status -6"):
        pool.submit(abs, 1).result(TIMEOUT_S)


def test_leaving_waits_for_all_tasks(others: set[int]) -> None:
    with WorkerPool(2, ahead=2) as pool:
        futures = [pool.submit(time.sleep, 0.01) for _ in range(20)]
    assert all(future.done() for future in futures)
    assert children() == others


def test_cancelling_ends_the_tasks_in_hand_and_no_others() -> None:
    pool = WorkerPool(1)
    futures = [pool.submit(time.sleep, 0.2) for _ in range(10)]
    wait_until(futures[0].running, "the first task to start")
    pool.shutdown(cancel_futures=True)
    assert futures[0].result() is None
    with pytest.raises(CancelledError):
        futures[-1].result(TIMEOUT_S)
    assert wait(futures).not_done == set()


def test_a_cancelled_task_is_not_run(pool: WorkerPool, tmp_path: Path) -> None:
    slow = [pool.submit(time.sleep, 0.2) for _ in range(2)]
    wait_until(lambda: all(future.running() for future in slow), "both workers to be busy")
    unwanted = pool.submit(os.mkdir, tmp_path / "made")
    assert unwanted.cancel()
    assert pool.submit(abs, -1).result(TIMEOUT_S) == 1
    assert not (tmp_path / "made").exists()


def test_nothing_is_taken_after_the_end() -> None:
    pool = WorkerPool(1)
    pool.shutdown()
    pool.shutdown()
    with pytest.raises(Unavailable, match="stopped"):
        pool.submit(abs, 1)


def test_it_needs_a_worker() -> None:
    with pytest.raises(UsageError, match="workers must be at least 1, got -1"):
        WorkerPool(-1)


def test_workers_end_when_their_parent_is_killed(owner: "subprocess.Popen[str]") -> None:
    wait_until(lambda: len(workers_of(owner.pid)) == 3, "the workers to start")
    workers = family_of(owner.pid)
    owner.kill()
    wait_until(lambda: not any(is_alive(worker) for worker in workers), "the workers to end")


def test_workers_do_not_hear_ctrl_c(owner: "subprocess.Popen[str]") -> None:
    os.killpg(owner.pid, signal.SIGINT)
    out, _ = owner.communicate(timeout=TIMEOUT_S)
    assert out == "4\n"
    assert owner.returncode == 0


def test_workers_load_neither_mindspore_nor_the_server(pool: WorkerPool) -> None:
    loaded = pool.submit(eval, "set(__import__('sys').modules)").result(TIMEOUT_S)
    assert not {"mindspore", "lmdb", "datagen_server.service.server", "datagen_server.workers.pool"} & loaded
