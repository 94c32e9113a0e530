"""What a process of a run tells the launcher: one JSON line after another in a file of its own.

What these processes print is full of MindSpore's own words, hence a file. The launcher reads it as it grows.
"""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEDULER = "scheduler"


def news_file(folder: Path, name: str) -> Path:
    """name: the number of the process on its host, or `SCHEDULER`."""
    return folder / f"process-{name}.jsonl"


class NewsWriter:
    """The process's side. Kinds of news: born, begun, listening, row, warned, ended, failed."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)
        self.tell("born", pid=os.getpid())

    def tell(self, kind: str, **values: Any) -> None:
        """Writes one line, which the launcher can read at once."""
        self._file.write(json.dumps({"kind": kind, "time": time.time(), **values}) + "\n")

    def close(self) -> None:
        """Ends writing."""
        self._file.close()


@dataclass
class NewsReader:
    """The launcher's side: all that one process has told so far."""

    name: str
    file: Path
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    "By kind."
    _read_bytes: int = 0

    def read(self) -> list[dict[str, Any]]:
        """What is new since the last call."""
        if not self.file.exists():
            return []
        with self.file.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        news = [json.loads(line) for line in whole.splitlines()]
        self.latest.update({item["kind"]: item for item in news})
        return news

    @property
    def pid(self) -> int | None:
        """Once the process is born."""
        return self.latest["born"]["pid"] if "born" in self.latest else None
