"""Which processes there are, and waiting for what they do."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def children(parent: int | None = None) -> set[int]:
    """The living child processes of `parent` (default: this process)."""
    parent = parent or os.getpid()
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent_of_it = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # It has just ended.
            continue
        if int(parent_of_it) == parent and state != "Z":
            found.add(int(status.parent.name))
    return found


def workers_of(parent: int | None = None) -> set[int]:
    """The living workers of the pools of `parent` (default: this process): its fork servers' children."""
    return {worker for server in children(parent) for worker in children(server)}


def family_of(parent: int) -> set[int]:
    """All living processes that descend from `parent`."""
    found = children(parent)
    return found.union(*map(family_of, found))


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.01)
