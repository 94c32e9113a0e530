"""Processes that never outlive those who started them (Linux)."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1


class _Stat(NamedTuple):
    pid: int
    state: str
    parent: int


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when the process `parent`, which started it, ends; however it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # It ended before it could be asked for.
        os.kill(os.getpid(), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    found = _stat(pid)
    return found is not None and found.state not in ("Z", "X")


def children(pid: int) -> list[int]:
    """The processes that the process `pid` has started and not yet reaped."""
    stats = [_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [found.pid for found in stats if found is not None and found.parent == pid]


def kill_all(pids: Iterable[int], timeout_s: float = 5.0) -> None:
    """Kills the processes and returns when they are gone."""
    left, deadline = {pid for pid in pids if is_alive(pid)}, time.monotonic() + timeout_s
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    while time.monotonic() < deadline and any(is_alive(pid) for pid in left):
        time.sleep(0.02)


def _stat(pid: int) -> _Stat | None:
    """From /proc/PID/stat, whose second field, the program's name, may hold anything; None when it is gone."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return _Stat(pid, state, int(parent))
