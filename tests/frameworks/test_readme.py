"""The README's Python code runs as it stands, against a service on another port, each block in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.environment import PYTHON
from tests.support.services import ServiceProcess

TARGET = "127.0.0.1:50051"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", Path("README.md").read_text(), re.DOTALL | re.MULTILINE)
OTHERS = re.compile(r"\b(torch|jax)(_|\.|\b)")


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """With splits of the README's sizes."""
    with ServiceProcess("tests.support.toy_server", "PORT", "--train", "50000", "--test", "10000") as service:
        yield service.target


@pytest.mark.parametrize("code", BLOCKS)
def test_a_block_of_the_readme_runs(code: str, target: str) -> None:
    assert TARGET in code, "the block reads from another service than the README starts"
    interpreter = sys.executable
    if OTHERS.search(code):
        if not PYTHON.exists():
            pytest.skip("PyTorch and JAX have an environment of their own: make test-frameworks")
        interpreter = str(PYTHON)
    command = [interpreter, "-c", code.replace(TARGET, target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
