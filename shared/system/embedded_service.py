"""A data set service for one command: started on a loopback port, stopped at the end of a block.

It is a process like any other service, started with the same command. It cannot outlive its parent: it stops when its
standard input closes, which happens however the parent ends, SIGKILL included. Ctrl-C does not reach it, since the
parent may still be reading; the parent stops it afterwards.
"""

import logging
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from shared.dataset.spec import DEFAULT_COUNTS
from shared.dataset.spec_file import dump_spec
from shared.dataset.spec_options import RenderSpec
from shared.errors import Unavailable, UsageError
from shared.system.limits import num_cores

_LOG = logging.getLogger(__name__)
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_READY_PREFIX = "listening on "
_PAGE_PREFIX = "metrics on "


@contextmanager
def embedded_service(
    counts: Mapping[str, int] = DEFAULT_COUNTS,
    render_spec: RenderSpec | None = None,
    num_workers: int | None = None,
    on_page: Callable[[str], None] | None = None,
    while_it_starts: Callable[[], object] = lambda: None,
) -> Iterator[str]:
    """Yields the target of a service that this process starts and, at the end of the block, stops.

    render_spec: what it renders; None: the default data set. num_workers: rendering processes; by default all cores
    but one, which is left to the reader. on_page: is called with the address of its status page; None: it has none.
    while_it_starts: is called once the process is there, for what takes as long as its start does.
    Raises `UsageError` with the service's error message for a data set that cannot be rendered, `Unavailable` when the
    service does not start for another reason.
    """
    command = [sys.executable, "-m", "datagen_server", "serve", "--listen", "127.0.0.1:0", "--stop-with-stdin"]
    command += ["--workers", str(num_workers or max(1, num_cores() - 1))]
    command += ["--count", *(f"{name}={count}" for name, count in counts.items())]
    if on_page is not None:
        command += ["--metrics-listen", "127.0.0.1:0"]
    with tempfile.TemporaryFile("w+") as log, tempfile.NamedTemporaryFile("w", suffix=".yaml") as spec_file:
        if render_spec is not None:
            spec_file.write(dump_spec(render_spec.spec, render_spec.font_files))
            spec_file.flush()
            command += ["--spec", spec_file.name]
        service = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        try:
            while_it_starts()
            target = _target_of(service, log)
            if on_page is not None and service.stdout is not None:
                # This line follows the other at once, and may be in the same buffer: `select` would not see it.
                on_page(f"http://{service.stdout.readline().strip().removeprefix(_PAGE_PREFIX)}")
            try:
                yield target
            finally:
                if (code := service.poll()) is not None:
                    _LOG.warning("the embedded data set service ended by itself (exit code %d): %s", code, _end_of(log))
        finally:
            _stop(service)


def _target_of(service: subprocess.Popen[str], log: IO[str]) -> str:
    assert service.stdout is not None  # noqa: S101 - it is a pipe.
    deadline = time.monotonic() + _START_TIMEOUT_S
    if select.select([service.stdout], [], [], _START_TIMEOUT_S)[0]:
        line = service.stdout.readline().strip()
        if line.startswith(_READY_PREFIX):
            return line.removeprefix(_READY_PREFIX)
    if time.monotonic() < deadline and service.wait() == UsageError.exit_code:
        raise UsageError(_end_of(log).rpartition("datagen_server: ")[2])
    reason = "in time" if time.monotonic() > deadline else f"(exit code {service.wait()})"
    raise Unavailable(f"the embedded data set service did not start {reason}: {_end_of(log)}")


def _end_of(log: IO[str]) -> str:
    log.seek(0)
    return " ".join(log.read().split())[-1000:]


def _stop(service: subprocess.Popen[str]) -> None:
    for pipe in (service.stdin, service.stdout):
        if pipe is not None:
            pipe.close()
    try:
        service.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
