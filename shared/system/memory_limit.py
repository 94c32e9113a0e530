"""How much memory this process may use: a container's limit is less than what the machine has."""

import os
from pathlib import Path

_CONTROL_GROUP = Path("/sys/fs/cgroup")
# Bytes; without a limit, "max" or a number near 2^63.
_VERSION_2, _VERSION_1 = "memory.max", "memory/memory.limit_in_bytes"


def memory_limit(control_group: Path = _CONTROL_GROUP) -> int:
    """Bytes: the machine's memory, and no more than the container's limit.

    control_group: where the container's own limits are, by the kernel's documents cgroup-v2 and memory. Where there are
    none, no limit is known.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in (_VERSION_2, _VERSION_1):
        try:
            return min(physical, int((control_group / name).read_text()))
        except (OSError, ValueError):
            continue
    return physical
