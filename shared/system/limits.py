"""How many cores, how much memory and how many processes this process may use: a container has less than its machine.

A container sees all cores of its machine, but may be limited to the time of two of them. A rendering process for each
core seen would then cost memory and gain nothing. A number of processes far above what the machine can hold is a slip
of the keyboard, not a wish.
"""

import math
import os
import resource
from pathlib import Path

from shared.errors import UsageError
from shared.system.linux import num_bound_cores

_CONTROL_GROUP = Path("/sys/fs/cgroup")
# Files of version 2 of control groups, then of version 1: cgroup-v2, sched-bwc and memory in the kernel's documents.
# The microseconds of processor time in each period, then the period; without a limit, "max" or -1.
_CORES = ("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
# Bytes; without a limit, "max" or a number near 2^63.
_MEMORY = "memory.max", "memory/memory.limit_in_bytes"
_PROCESSES = "pids.max", "pids/pids.max"


def num_cores(control_group: Path = _CONTROL_GROUP) -> int:
    """At least 1: the cores this process is bound to, and no more than its container's CPU limit, rounded up.

    control_group: the folder of the container's limits; without its files there is no limit.
    """
    num_bound = num_bound_cores()
    for names in _CORES:
        try:
            quota, period = " ".join((control_group / name).read_text() for name in names).split()
            limit = math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
        return max(1, min(num_bound, limit)) if limit > 0 else num_bound
    return num_bound


def memory_limit(control_group: Path = _CONTROL_GROUP) -> int:
    """Bytes: the machine's memory, and no more than the container's limit."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _MEMORY:
        try:
            return min(physical, int((control_group / name).read_text()))
        except (OSError, ValueError):
            continue
    return physical


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
    for name in _PROCESSES:
        try:
            bounds.append(int((control_group / name).read_text()))
        except (OSError, ValueError):  # No such file, or "max".
            continue
    return min(bounds)
