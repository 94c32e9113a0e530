import os
from pathlib import Path

import pytest

from shared.system.cpu_limit import num_cores

NUM_BOUND = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max", NUM_BOUND),
        ("-1", NUM_BOUND),
        ("100000", 1),
        ("50000", 1),
        ("150000", min(2, NUM_BOUND)),
        ("99900000", NUM_BOUND),
        ("", NUM_BOUND),
        ("nonsense", NUM_BOUND),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_limit_of_the_container_bounds_the_cores(tmp_path: Path, version: int, quota: str, expected: int) -> None:
    if version == 2:
        (tmp_path / "cpu.max").write_text(f"{quota} 100000\n")
    else:
        (tmp_path / "cpu").mkdir()
        (tmp_path / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
        (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert num_cores(tmp_path) == expected


def test_without_control_groups_it_is_the_cores_this_process_is_bound_to(tmp_path: Path) -> None:
    assert num_cores(tmp_path) == NUM_BOUND
    whole = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(whole)})
    try:
        assert num_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, whole)
