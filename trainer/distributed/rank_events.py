"""Events that a process of a run writes for the launcher: one JSON line each, in a file of its own.

The output of these processes is full of MindSpore's messages, so it cannot be parsed; hence a file. The launcher reads
it while it grows.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEDULER = "scheduler"


class EventKind(StrEnum):
    """What happened, and the values that come with it."""

    STARTED = "started"
    "pid"
    TRAINING = "training"
    "rank, done, num_steps"
    METRICS_ADDRESS = "metrics_address"
    "rank, address"
    STEP = "step"
    "done, loss; at most once a second, of the first rank of the host"
    ROW = "row"
    "row"
    WARNING = "warning"
    "message"
    FINISHED = "finished"
    "summary"
    FAILED = "failed"
    "message, exit_code, is_expected: whether the error is one of `shared/errors.py`"


def events_file(folder: Path, name: str) -> Path:
    """name: the number of the process on its host, or `SCHEDULER`."""
    return folder / f"process-{name}.jsonl"


class RankEventWriter:
    """The side of the process."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)
        self.write(EventKind.STARTED, pid=os.getpid())

    def write(self, kind: EventKind, **values: Any) -> None:
        """Writes one line, which the launcher can read at once; on a full disk it is lost, and the rank goes on."""
        with suppress(OSError):
            self._file.write(json.dumps({"kind": kind, "time": time.time(), **values}) + "\n")

    def close(self) -> None:
        """Ends writing."""
        with suppress(OSError):
            self._file.close()


@dataclass
class RankEventReader:
    """The side of the launcher: the events of one process so far."""

    name: str
    file: Path
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    "By kind."
    _read_bytes: int = 0

    def read(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        if not self.file.exists():
            return []
        with self.file.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(complete)
        events = [event for line in complete.splitlines() if (event := _event_of(line))]
        self.latest.update({event["kind"]: event for event in events})
        return events

    def has(self, kind: EventKind) -> bool:
        """Whether an event of this kind was read."""
        return kind in self.latest

    @property
    def pid(self) -> int | None:
        """Once the process has started."""
        return self.latest[EventKind.STARTED]["pid"] if self.has(EventKind.STARTED) else None


def _event_of(line: bytes) -> dict[str, Any] | None:
    """None for a line that a full disk cut off."""
    with suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and "kind" in event:
            return event
    return None
