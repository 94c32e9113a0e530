"""The client in Node, made from the proto alone: installed once from its lock file, and called as a process."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "node"
_INSTALLED = FOLDER / "node_modules" / ".package-lock.json"
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")),
    reason="the client is written for Node: apt-get install nodejs npm",
)


def install() -> None:
    """As the lock file says; does nothing where that has been done."""
    lock = FOLDER / "package-lock.json"
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def start(command: str, **arguments: Any) -> "subprocess.Popen[str]":
    """A process that prints JSON objects, one a line."""
    install()
    words = ["node", str(FOLDER / "main.js"), command, json.dumps(arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The last object it prints."""
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    answer: dict[str, Any] = json.loads(told.splitlines()[-1])
    return answer


def run(command: str, **arguments: Any) -> dict[str, Any]:
    """`start`, to its end."""
    return ended(start(command, **arguments))
