"""Commands that permissions hold for, also where the tests run as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PREFIX = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def run_without_privileges(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`python -m module arguments` by a user who may read and write only what the permissions say."""
    command = [*prefix(), sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def prefix() -> tuple[str, ...]:
    """What stands before a command that permissions shall hold for."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which(_PREFIX[0]):
        pytest.skip("needs setpriv, where the tests run as root")
    return _PREFIX


@contextmanager
def forbidden(path: Path) -> Iterator[None]:
    """A file or folder that nobody may use."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)
