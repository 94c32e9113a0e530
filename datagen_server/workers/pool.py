"""Processes that do work for a `concurrent.futures` user, any of which may be killed at any moment.

Why not `ProcessPoolExecutor`: its workers share one pipe for their results. A worker killed while it writes a large one
leaves the reader with half a message and the others behind a lock that nobody will release: with results of half a
megabyte two kills of four ended so. Here each worker has a socket pair and a thread of its own.
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

from datagen_server.workers.worker import Worker
from shared.errors import Unavailable, UsageError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MAX_DEATHS = 3  # Of workers at one task; then the task is to blame.


@dataclass(eq=False)
class _Task:
    call: bytes
    "Pickled (function, arguments, keyword arguments)."
    future: "Future[Any]" = field(default_factory=Future)
    num_deaths: int = 0


_Queue = SimpleQueue[_Task | None]  # None: there will never be another task.


class WorkerPool(Executor):
    """An executor over `num_workers` fresh interpreters. What it runs is pickled, so it lives in a module.

    A worker that dies is replaced and its tasks are run again: they should be functions of their arguments. A task that
    outlives three workers fails with `Unavailable`. Ctrl-C does not reach the workers; they end with their parent.
    """

    def __init__(self, num_workers: int, warm_up: Callable[[], object] = int, *, ahead: int = 1) -> None:
        """Starts the workers, each calling `warm_up` first, and does not wait for them.

        A worker holds up to `ahead` tasks: 1 shares long tasks out best, 2 hides the pause between short ones.
        """
        if num_workers < 1:
            raise UsageError(f"workers must be at least 1, got {num_workers}")
        self._tasks: _Queue = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._attendants = [_Attendant(self._tasks, warm_up, ahead) for _ in range(num_workers)]
        for attendant in self._attendants:
            attendant.start()

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
        """Ends the workers after the tasks submitted so far, or after those in hand if the rest is cancelled."""
        with self._closing:
            self._closed = True
        with suppress(Empty):
            while cancel_futures:
                if task := self._tasks.get_nowait():
                    task.future.cancel()
                    task.future.set_running_or_notify_cancel()
        self._tasks.put(None)
        if wait:
            for attendant in self._attendants:
                attendant.join()


class _Attendant(threading.Thread):
    """Keeps one worker supplied with tasks, and replaces it when it dies."""

    def __init__(self, tasks: _Queue, warm_up: Callable[[], object], ahead: int) -> None:
        super().__init__(daemon=True)
        self._tasks, self._warm_up, self._ahead = tasks, warm_up, ahead
        self._given: deque[_Task] = deque()
        self._worker = Worker(warm_up, ahead)

    def run(self) -> None:
        while self._supply():
            try:
                good, value = self._worker.receive()
            except (EOFError, OSError):
                self._replace_worker()
                continue
            future = self._given.popleft().future
            if good:
                future.set_result(value)
            else:
                future.set_exception(value)
        self._worker.stop()

    def _supply(self) -> bool:
        """Fills the worker's hands, waiting only if they are empty; False if there is nothing to do ever again."""
        while len(self._given) < self._ahead and (task := self._next_task(wait=not self._given)):
            if task.future.set_running_or_notify_cancel():
                self._given.append(task)
                self._worker.send(task.call)
        return bool(self._given)

    def _next_task(self, wait: bool) -> _Task | None:
        try:
            task = self._tasks.get(block=wait)
        except Empty:
            return None
        if task is None:
            self._tasks.put(None)  # For the other attendants.
        return task

    def _replace_worker(self) -> None:
        status = self._worker.stop()
        self._given[0].num_deaths += 1
        if self._given[0].num_deaths == _MAX_DEATHS:
            problem = f"{_MAX_DEATHS} worker processes died at one task, the last with status {status}"
            self._given.popleft().future.set_exception(Unavailable(f"{problem}; is there enough memory?"))
        try:
            self._worker = Worker(self._warm_up, self._ahead)
        except OSError as error:  # The dead one stays, and is found dead again at the next task.
            while self._given:
                self._given.popleft().future.set_exception(Unavailable(f"cannot start a worker process: {error}"))
        for task in self._given:
            self._worker.send(task.call)
