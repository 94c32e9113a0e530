"""A data set service of one's own, on a loopback port, for as long as a block lasts.

It is a process like any other service, started with the same command. It cannot outlive its parent: it stops when its
standard input closes, which happens however the parent ends, SIGKILL included. Ctrl-C does not reach it: the parent
is still reading, and stops it when it is done.
"""

import logging
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from shared.dataset.spec import DEFAULT_COUNTS
from shared.errors import Unavailable
from shared.system.cpu_limit import num_cores

_LOG = logging.getLogger(__name__)
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_ANNOUNCED = "listening on "


@contextmanager
def embedded_service(
    counts: Mapping[str, int] = DEFAULT_COUNTS, seed: int = 0, num_workers: int | None = None
) -> Iterator[str]:
    """Yields the target of a service that this process starts and, at the end of the block, stops.

    num_workers: rendering processes; by default all cores but one, which is left to the reader.
    Raises `Unavailable` with the service's own words when it does not start.
    """
    command = [sys.executable, "-m", "datagen_server", "serve", "--listen", "127.0.0.1:0", "--stop-with-stdin"]
    command += ["--seed", str(seed), "--workers", str(num_workers or max(1, num_cores() - 1))]
    command += ["--count", *(f"{name}={count}" for name, count in counts.items())]
    with tempfile.TemporaryFile("w+") as words:
        service = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True, start_new_session=True
        )
        try:
            target = _target_of(service, words)
            try:
                yield target
            finally:
                if (code := service.poll()) is not None:
                    _LOG.warning("the embedded data set service ended by itself (exit code %d): %s", code, _last(words))
        finally:
            _stop(service)


def _target_of(service: subprocess.Popen[str], words: IO[str]) -> str:
    assert service.stdout is not None  # noqa: S101 - it is a pipe.
    deadline = time.monotonic() + _START_TIMEOUT_S
    if select.select([service.stdout], [], [], _START_TIMEOUT_S)[0]:
        line = service.stdout.readline().strip()
        if line.startswith(_ANNOUNCED):
            return line.removeprefix(_ANNOUNCED)
    reason = "in time" if time.monotonic() > deadline else f"(exit code {service.wait()})"
    raise Unavailable(f"the embedded data set service did not start {reason}: {_last(words)}")


def _last(words: IO[str]) -> str:
    words.seek(0)
    return " ".join(words.read().split())[-1000:]


def _stop(service: subprocess.Popen[str]) -> None:
    for pipe in (service.stdin, service.stdout):
        if pipe is not None:
            pipe.close()
    try:
        service.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
