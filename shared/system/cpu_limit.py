"""How many cores this process may use.

A container sees all cores of its machine, but may be limited to the time of two of them. A rendering process for each
core seen would then cost memory and gain nothing.
"""

import math
from pathlib import Path

from shared.system.linux import num_bound_cores

_CONTROL_GROUP = Path("/sys/fs/cgroup")
# Both hold the microseconds of processor time in each period, then the period; without a limit, "max" or -1.
_VERSION_2 = ("cpu.max",)
_VERSION_1 = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


def num_cores(control_group: Path = _CONTROL_GROUP) -> int:
    """At least 1: the cores this process is bound to, and no more than its container's CPU limit, rounded up.

    control_group: the folder of the container's limits; see cgroup-v2 and sched-bwc in the kernel's documentation.
    Without these files there is no limit.
    """
    num_bound = num_bound_cores()
    for names in (_VERSION_2, _VERSION_1):
        try:
            quota, period = " ".join((control_group / name).read_text() for name in names).split()
            limit = math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
        return max(1, min(num_bound, limit)) if limit > 0 else num_bound
    return num_bound
