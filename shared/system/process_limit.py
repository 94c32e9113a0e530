"""How many processes of a kind a machine can hold: a number far above that is a slip of the keyboard, not a wish."""

import resource
from pathlib import Path

from shared.errors import UsageError
from shared.system.memory_limit import memory_limit

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_PIDS = "pids.max", "pids/pids.max"


def check_num_processes(name: str, num: int, size_bytes: int) -> None:
    """Raises `UsageError` for fewer than one process, and for more than can be.

    name: of the option, for the message; size_bytes: the least memory that such a process needs.
    """
    if num < 1:
        raise UsageError(f"{name} must be at least 1, got {num}")
    by_memory, by_system = memory_limit() // size_bytes, max_processes()
    if num > max(1, min(by_memory, by_system)):
        bound = f"{by_memory} fit into the memory" if by_memory < by_system else f"{by_system} processes are allowed"
        raise UsageError(f"{name} must be at most {max(1, min(by_memory, by_system))} here ({bound}), got {num}")


def max_processes(control_group: Path = _CONTROL_GROUP) -> int:
    """How many processes this user or container may have; without a limit, a number that no machine reaches."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    bounds = [2**22] if soft == resource.RLIM_INFINITY else [soft]
    for name in _PIDS:
        try:
            bounds.append(int((control_group / name).read_text()))
        except (OSError, ValueError):  # No such file, or "max".
            continue
    return min(bounds)
