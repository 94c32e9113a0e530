import os
from pathlib import Path

import pytest

from shared.cores import num_cores

NUM_BOUND = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000\n", NUM_BOUND),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("150000 100000\n", min(2, NUM_BOUND)),
        ("99900000 100000\n", NUM_BOUND),
        ("", NUM_BOUND),
        ("nonsense\n", NUM_BOUND),
    ],
)
def test_a_limit_of_the_container_bounds_the_cores(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert num_cores(tmp_path / "cpu.max") == expected


def test_without_control_groups_it_is_the_cores_this_process_is_bound_to(tmp_path: Path) -> None:
    assert num_cores(tmp_path / "cpu.max") == NUM_BOUND
    whole = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(whole)})
    try:
        assert num_cores(tmp_path / "cpu.max") == 1
    finally:
        os.sched_setaffinity(0, whole)
