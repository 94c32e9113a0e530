"""What a container's control groups allow, in both their versions, and what is refused with the bound."""

import os
from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.system.limits import check_num_processes, max_processes, memory_limit, num_cores

NUM_BOUND = len(os.sched_getaffinity(0))
PHYSICAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


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


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("memory.max", "2147483648\n", min(2 << 30, PHYSICAL)),
        ("memory.max", "max\n", PHYSICAL),
        ("memory/memory.limit_in_bytes", "1073741824\n", min(1 << 30, PHYSICAL)),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", PHYSICAL),
        ("memory.max", "", PHYSICAL),
        ("other", "1", PHYSICAL),
    ],
)
def test_a_containers_memory_is_what_its_group_says(tmp_path: Path, name: str, text: str, expected: int) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(text)
    assert memory_limit(tmp_path) == expected


def test_what_fits_is_allowed_and_more_is_refused_with_the_bound() -> None:
    half = memory_limit() // 2
    check_num_processes("--workers", 2, half)
    with pytest.raises(UsageError, match=r"--workers must be at most 2 here \(2 fit into the memory\), got 3"):
        check_num_processes("--workers", 3, half)
    with pytest.raises(UsageError, match="--workers must be at least 1, got 0"):
        check_num_processes("--workers", 0, half)


def test_one_process_is_always_allowed() -> None:
    check_num_processes("--ranks", 1, 2**60)


@pytest.mark.parametrize(("text", "bound"), [("77\n", 77), ("max\n", None)])
def test_a_containers_number_of_processes_counts(text: str, bound: int | None, tmp_path: Path) -> None:
    without = max_processes(tmp_path)
    (tmp_path / "pids.max").write_text(text)
    assert max_processes(tmp_path) == (bound or without)
