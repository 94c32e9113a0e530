"""Watches the processes of a run on this host: reads their events, and finds out which of them failed and why."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from shared.errors import StreamingError, UsageError
from shared.system.atomic_file import is_disk_full, write_error
from trainer.distributed.placement import Placement
from trainer.distributed.processes import children, is_alive
from trainer.distributed.rank_events import SCHEDULER, EventKind, RankEventReader, events_file

MSRUN_LOG = "msrun.log"
_DEATH = re.compile(r"process (\d+) exit with exception")
"In the log of msrun, of MindSpore 2.10."
_START_GRACE_S = 3.0
"msrun makes the log of a process a moment before the process."


class RankMonitor:
    """The ranks of this host and the scheduler, as their events and the process table show them."""

    def __init__(self, placement: Placement, logs: Path) -> None:
        self._placement, self._logs = placement, logs
        names = [str(number) for number in range(len(placement.devices))]
        self.ranks = [RankEventReader(name, events_file(logs, name)) for name in names]
        self._scheduler = RankEventReader(SCHEDULER, events_file(logs, SCHEDULER))
        self._processes = [*self.ranks, self._scheduler]
        self._missing_since: float | None = None

    def all_have(self, kind: EventKind) -> bool:
        """Whether every rank of this host has written an event of this kind."""
        return all(rank.has(kind) for rank in self.ranks)

    def read(self) -> list[tuple[int, dict[str, Any]]]:
        """(rank, event) for all events of the ranks since the last call."""
        self._scheduler.read()
        return [(self.rank_of(rank), event) for rank in self.ranks for event in rank.read()]

    def rank_of(self, reader: RankEventReader) -> int:
        """The rank of the process that writes these events."""
        return self._placement.devices[int(reader.name)].rank

    def pids(self) -> set[int]:
        """Of all processes that have started."""
        return {process.pid for process in self._processes if process.pid is not None}

    def send_signal(self, number: signal.Signals) -> None:
        """To all ranks that live."""
        for rank in self.ranks:
            if rank.pid is not None and is_alive(rank.pid):
                os.kill(rank.pid, number)

    def check(self, msrun: int | None) -> None:
        """Raises the error of the process that failed first; msrun: its process id, None when it has ended.

        A process that wrote an error of this project comes first: msrun kills the others a moment later, and
        MindSpore's own errors are mostly about a rank that is gone.
        """
        failed = [process for process in self._processes if process.has(EventKind.FAILED)]
        failed.sort(key=lambda process: float(process.latest[EventKind.FAILED]["time"]))
        expected = [process for process in failed if process.latest[EventKind.FAILED]["is_expected"]]
        if found := expected or self._died_silently(msrun) or failed:
            raise self._error_of(found[0])

    def _error_of(self, process: RankEventReader) -> StreamingError:
        name, log = self._name_and_log(process)
        if not process.has(EventKind.FAILED):
            if is_disk_full(self._logs):
                return write_error(log, OSError("no space left on the device"))
            return StreamingError(f"{name} died without an error message, killed or out of memory; its log is {log}")
        event = process.latest[EventKind.FAILED]
        error = UsageError if event["exit_code"] == UsageError.exit_code else StreamingError
        return error(f"{name}: {event['message']}")

    def _died_silently(self, msrun: int | None) -> list[RankEventReader]:
        """The processes that are gone and have written no reason, the likely cause first."""
        gone = [process for process in self._processes if process.pid is not None and not is_alive(process.pid)]
        for process in gone:
            process.read()  # Its last event may have come just now.
        gone = [process for process in gone if not {EventKind.FINISHED, EventKind.FAILED} & process.latest.keys()]
        missing, since = [] if msrun is None else self._missing(msrun), self._missing_since
        self._missing_since = (since or time.monotonic()) if missing else None
        is_sure = since and time.monotonic() > since + _START_GRACE_S
        if not gone and not is_sure:
            return []
        # msrun kills the others soon after one: whoever is missing only now may have been killed by it.
        candidates = missing + gone if since else gone + missing
        seen = self._deaths_seen_by_msrun()
        has_silent = bool(seen - self.pids())  # Among them is one that never wrote its process id.
        return sorted(candidates, key=lambda p: not (has_silent if p.pid is None else p.pid in seen))

    def _deaths_seen_by_msrun(self) -> set[int]:
        """Process ids of the ranks that died before msrun killed the others."""
        try:
            log = (self._logs / MSRUN_LOG).read_text(errors="replace")
        except OSError:
            return set()
        return {int(pid) for pid in _DEATH.findall(log)}

    def _missing(self, msrun: int) -> list[RankEventReader]:
        """The processes among which some died before their first event: msrun has made more logs than it has children.

        msrun itself may wait for minutes in such a case.
        """
        silent = [p for p in self._processes if p.pid is None and self._name_and_log(p)[1].exists()]
        living = sum(process.pid is not None and is_alive(process.pid) for process in self._processes)
        return silent if silent and living + len(silent) > sum(map(is_alive, children(msrun))) else []

    def _name_and_log(self, process: RankEventReader) -> tuple[str, Path]:
        if process is self._scheduler:
            return "the scheduler", self._logs / "scheduler.log"
        return f"rank {self.rank_of(process)}", self._logs / f"worker_{process.name}.log"
