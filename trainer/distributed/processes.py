"""Processes: whether they live, their children, and how to end them all."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def children(pid: int) -> list[int]:
    """The processes that the process `pid` has started and not yet reaped."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def kill_all(pids: Iterable[int], timeout_s: float = 5.0) -> None:
    """Kills the processes and returns when they are gone; not `psutil.wait_procs`, which waits for zombies too."""
    left, deadline = {pid for pid in pids if is_alive(pid)}, time.monotonic() + timeout_s
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while time.monotonic() < deadline and any(map(is_alive, left)):
        time.sleep(0.02)
