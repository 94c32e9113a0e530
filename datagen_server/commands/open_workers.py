"""Options to workers: processes here, or those of a dask scheduler. To add an executor, choose it here."""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager

from datagen_server.workers.executors import Workers, dask_workers, process_workers
from shared.errors import UsageError
from shared.system.limits import num_cores


def open_workers(options: argparse.Namespace, *functions: Callable[..., object]) -> AbstractContextManager[Workers]:
    """The workers that --workers, --executor and --scheduler name; raises `UsageError`.

    functions: what they will be asked for, see `process_workers`.
    """
    if options.executor == "dask":
        if options.workers or not options.scheduler:
            raise UsageError("--executor dask needs --scheduler ADDRESS, and has the workers that the scheduler has")
        return dask_workers(options.scheduler)
    if options.scheduler:
        raise UsageError("--scheduler is for --executor dask")
    return process_workers(options.workers or num_cores(), *functions)
