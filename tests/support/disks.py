"""Disks of a test's own, small enough to fill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(directory: Path, size_kb: int) -> Iterator[None]:
    """A file system of its own at `directory`; skips the test where mounting is not permitted."""
    directory.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(directory)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted here: {mount.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)
