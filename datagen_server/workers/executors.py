"""The executors of `materialize` and `import`: processes on this machine, or a dask.distributed scheduler's workers.

To add one: a context manager here that yields `Workers`, and its name in `datagen_server/commands/open_workers.py`.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from datagen_server.workers.pool import WorkerPool
from shared.errors import StreamingError, UsageError
from shared.system.malloc import keep_freed_blocks

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_TASKS_PER_WORKER = 3
_PACKAGE = "datagen_server"
_NO_WORKERS_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Workers:
    """An executor and how many tasks it can run at once."""

    executor: Executor
    num_workers: int
    lost_errors: tuple[type[Exception], ...] = (BrokenExecutor, CancelledError, OSError)
    "What the executor raises when it has lost its workers."
    is_alive: Callable[[], bool] = lambda: True
    "Called every second of waiting: an executor that has lost all its workers may raise nothing at all."
    are_here: bool = True
    "Whether they see the files that this process sees."

    def map(self, function: Callable[[_In], _Out], items: Iterable[_In]) -> Generator[_Out, None, None]:
        """The results of `function` in the order of `items`, with three tasks for each worker submitted at a time.

        That bounds the memory. `function` must be picklable: it lives in a module. Raises what it raises, and
        `StreamingError` when workers are lost.
        """
        futures: deque[Future[_Out]] = deque()
        try:
            for item in items:
                futures.append(self.executor.submit(function, item))
                if len(futures) >= _TASKS_PER_WORKER * self.num_workers:
                    yield self._result(futures.popleft())
            while futures:
                yield self._result(futures.popleft())
        except self.lost_errors as error:
            problem = f"a rendering process was lost ({type(error).__name__}); finished shards are kept"
            raise StreamingError(f"{problem}: run it again to go on") from error
        finally:
            for future in futures:
                future.cancel()

    def _result(self, future: "Future[_Out]") -> _Out:
        while not wait([future], timeout=1).done:
            if not self.is_alive():
                raise ConnectionError("the workers are gone")
        return future.result()


@contextmanager
def process_workers(num_workers: int, *functions: Callable[..., object]) -> Iterator[Workers]:
    """Processes on this machine. They end with their parent, even if it is killed.

    functions: what they will be asked for. They import the modules of these at once, while this process goes on.
    """
    keep_freed_blocks()  # On both sides: a chunk is some megabytes, and then comes the next.
    pool = WorkerPool(num_workers, partial(_begin, functions), ahead=2)
    try:
        yield Workers(pool, num_workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(_functions: Sequence[Callable[..., object]]) -> None:
    """The first call of a worker. To receive functions is to import their modules."""
    keep_freed_blocks()


@contextmanager
def dask_workers(scheduler: str, timeout_s: float = 10) -> Iterator[Workers]:
    """The workers of a running dask.distributed scheduler, each with this package installed."""
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise UsageError("--executor dask needs dask: pip install 'captcha-streaming[dask]'") from error
    try:
        client = distributed.Client(scheduler, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no dask scheduler answers at {scheduler}: {error}") from error
    with client:
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=timeout_s)
        if not (num_workers := sum(client.nthreads().values())):
            raise UsageError(f"the dask scheduler at {scheduler} has no workers: start some, `dask worker {scheduler}`")
        # By a function of Python's own: with one of this package, such a worker would end without a word.
        found = client.run(find_spec, _PACKAGE)
        if without := sorted(worker for worker, spec in found.items() if spec is None):
            problem = f"the dask worker {without[0]} has no package {_PACKAGE} to import"
            raise UsageError(f"{problem}; install this package, in the same version, where workers run")
        # When a future is lost with the scheduler, its executor fails with TypeError while it unpacks the result.
        lost_errors = distributed.KilledWorker, TypeError, *Workers.lost_errors
        yield Workers(client.get_executor(), num_workers, lost_errors, _Liveness(client).is_alive, are_here=False)


class _Liveness:
    """Whether a dask client has a scheduler, and the scheduler workers: without any it waits for new ones for ever."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._none_since: float | None = None

    def is_alive(self) -> bool:
        """False once there has been no worker for 10 s."""
        if self._client.status != "running":
            return False
        if self._client.nthreads():
            self._none_since = None
            return True
        self._none_since = self._none_since or time.monotonic()
        return time.monotonic() < self._none_since + _NO_WORKERS_TIMEOUT_S
