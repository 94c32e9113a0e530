"""How many cores this process may use.

What surprises: a container sees all cores of its machine, and may be given the time of two of them. A rendering process
for each core seen would then cost memory and gain nothing.
"""

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def num_cores(quota_file: Path = _QUOTA) -> int:
    """At least 1: the cores this process is bound to, and no more than its container's CPU limit, rounded up.

    quota_file: 'MICROSECONDS PERIOD' or 'max PERIOD', as control groups of version 2 write it ("CPU Interface Files" in
    the kernel's cgroup-v2 document); elsewhere there is no such file, and no limit is known.
    """
    num_bound = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(num_bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return num_bound
