"""Files of JSON lines, which grow while they are read, and end within a line where a process was killed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON lines. A line that a crash cut off, or that was damaged, is passed over."""
    for line in file.read_text(errors="replace").splitlines():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            yield values


def is_until(step: Any, last: int) -> bool:
    """Whether what a line gives as its step is one, and not after `last`."""
    return isinstance(step, int) and step <= last
