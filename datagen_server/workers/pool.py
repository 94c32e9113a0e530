"""An executor over worker processes, any of which may be killed at any moment.

Why not `ProcessPoolExecutor`: its workers share one pipe for their results. A worker killed while it writes a large
result leaves half a message in the pipe, and the others wait for a lock that is never released: with results of half a
megabyte this happened in two of four kills. Here each worker has a socket pair and a supervisor thread of its own.
"""

import pickle
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from datagen_server.workers.fork_server import ForkServer
from datagen_server.workers.worker import Worker
from shared.errors import Unavailable
from shared.system.limits import check_num_processes

_P = ParamSpec("_P")
_T = TypeVar("_T")
_WORKER_BYTES = 64 << 20
"The memory that an idle worker needs, about."
_MAX_DEATHS = 3  # Workers that die at one task; then the task fails.


@dataclass(eq=False)
class _Task:
    call: bytes
    "Pickled (function, arguments, keyword arguments)."
    future: "Future[Any]" = field(default_factory=Future)
    num_deaths: int = 0


_Queue = SimpleQueue[_Task | None]  # None: no more tasks will come.


class WorkerPool(Executor):
    """An executor over `num_workers` processes. What it runs is pickled, so functions must live in a module.

    A worker that dies is replaced and its tasks are run again: they should depend on their arguments alone. A task at
    which three workers die fails with `Unavailable`. Ctrl-C does not reach the workers; they end with their parent.
    """

    def __init__(self, num_workers: int, warm_up: Callable[[], object] = int, *, ahead: int = 1) -> None:
        """Starts the workers, as copies of a process that has called `warm_up`, and does not wait for them.

        A worker holds up to `ahead` tasks: 1 balances long tasks best, 2 hides the pause between short ones.
        """
        check_num_processes("--workers", num_workers, _WORKER_BYTES)
        self._tasks: _Queue = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        forks = _Forks(warm_up, num_workers)
        self._supervisors = [_Supervisor(self._tasks, forks, ahead) for _ in range(num_workers)]
        for supervisor in self._supervisors:
            supervisor.start()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """The future of `fn(*args, **kwargs)`, run by some worker; raises `Unavailable` after `shutdown`.

        Arrays in the result are read-only.
        """
        task = _Task(pickle.dumps((fn, args, kwargs)))
        with self._closing:
            if self._closed:
                raise Unavailable("the worker processes have been stopped")
            self._tasks.put(task)
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the workers after all tasks submitted, or after those they already hold if the rest is cancelled."""
        with self._closing:
            self._closed = True
        with suppress(Empty):
            while cancel_futures:
                if task := self._tasks.get_nowait():
                    task.future.cancel()
                    task.future.set_running_or_notify_cancel()
        self._tasks.put(None)
        if wait:
            for supervisor in self._supervisors:
                supervisor.join()


class _Forks:
    """The fork server of a pool, which may be killed too, and how many supervisors need it. For several threads."""

    def __init__(self, warm_up: Callable[[], object], num_users: int) -> None:
        self._warm_up, self._num_users = warm_up, num_users
        self._lock = threading.Lock()
        self._server = ForkServer(warm_up)

    def start_worker(self, num_slots: int) -> Worker:
        """`OSError` when no process can be started."""
        with self._lock:
            if not self._server.is_alive:
                self._server.stop()
                self._server = ForkServer(self._warm_up)
            return Worker(self._server.fork, num_slots)

    def leave(self) -> None:
        """To be called by each supervisor once its worker has ended; the last stops the server."""
        with self._lock:
            self._num_users -= 1
            if not self._num_users:
                self._server.stop()


class _Supervisor(threading.Thread):
    """Gives one worker its tasks, and replaces it when it dies."""

    def __init__(self, tasks: _Queue, forks: _Forks, ahead: int) -> None:
        super().__init__(daemon=True)
        self._tasks, self._forks, self._ahead = tasks, forks, ahead
        self._assigned: deque[_Task] = deque()
        self._worker = forks.start_worker(ahead)

    def run(self) -> None:
        while self._assign():
            try:
                succeeded, value = self._worker.receive()
            except (EOFError, OSError):
                self._replace_worker()
                continue
            future = self._assigned.popleft().future
            if succeeded:
                future.set_result(value)
            else:
                future.set_exception(value)
        self._worker.stop()
        self._forks.leave()

    def _assign(self) -> bool:
        """Gives the worker as many tasks as it may hold; waits only if it has none. False once there are no more."""
        while len(self._assigned) < self._ahead and (task := self._next_task(wait=not self._assigned)):
            if task.future.set_running_or_notify_cancel():
                self._assigned.append(task)
                self._worker.send(task.call)
        return bool(self._assigned)

    def _next_task(self, wait: bool) -> _Task | None:
        try:
            task = self._tasks.get(block=wait)
        except Empty:
            return None
        if task is None:
            self._tasks.put(None)  # For the other supervisors.
        return task

    def _replace_worker(self) -> None:
        status = self._worker.stop()
        self._assigned[0].num_deaths += 1
        if self._assigned[0].num_deaths == _MAX_DEATHS:
            problem = f"{_MAX_DEATHS} worker processes died at one task, the last with status {status}"
            self._assigned.popleft().future.set_exception(Unavailable(f"{problem}; is there enough memory?"))
        try:
            self._worker = self._forks.start_worker(self._ahead)
        except OSError as error:  # The dead one stays, and its death is noticed again at the next task.
            while self._assigned:
                self._assigned.popleft().future.set_exception(Unavailable(f"cannot start a worker process: {error}"))
        for task in self._assigned:
            self._worker.send(task.call)
