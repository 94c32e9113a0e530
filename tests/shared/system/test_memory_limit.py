"""The container's memory limit, as both versions of control groups write it."""

import os
from pathlib import Path

import pytest

from shared.system.memory_limit import memory_limit

PHYSICAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


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
def test_a_containers_limit_is_what_its_control_group_says(tmp_path: Path, name: str, text: str, expected: int) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(text)
    assert memory_limit(tmp_path) == expected
