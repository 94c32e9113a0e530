"""How many processes there may be: bounded by memory and by the system, with the reason."""

from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.system.memory_limit import memory_limit
from shared.system.process_limit import check_num_processes, max_processes


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
def test_a_containers_limit_counts(text: str, bound: int | None, tmp_path: Path) -> None:
    without = max_processes(tmp_path)
    (tmp_path / "pids.max").write_text(text)
    assert max_processes(tmp_path) == (bound or without)
