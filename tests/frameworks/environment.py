"""The interpreter that has PyTorch and JAX: `make test-frameworks` makes it, other versions than ours in it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path(os.environ.get("FRAMEWORKS_PYTHON", ".venv-frameworks/bin/python")).absolute()
needs_frameworks = pytest.mark.skipif(
    not PYTHON.exists(), reason="PyTorch and JAX have an environment of their own: make test-frameworks"
)


def start(module: str, **arguments: Any) -> "subprocess.Popen[str]":
    """`python -m module JSON` in that environment."""
    command = [str(PYTHON), "-m", module, json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(module: str, **arguments: Any) -> dict[str, Any]:
    """The JSON object that `start` prints last."""
    process = start(module, **arguments)
    told, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "shared/client" not in errors, errors  # A warning of ours.
    answer: dict[str, Any] = json.loads(told.splitlines()[-1])
    return answer
