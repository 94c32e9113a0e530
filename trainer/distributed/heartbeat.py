"""Heartbeats between the launchers of a run's hosts, as files in the shared run directory.

Note: MindSpore takes more than half a minute to notice that another host is gone; the heartbeat takes seconds. Hosts
that do not share their run directory see no heartbeats, and rely on MindSpore.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.system.atomic_file import write_atomic

_INTERVAL_S = 1.0
_TIMEOUT_S = 8.0
"Without a new heartbeat; a shared file system may hold one back for three seconds."
_FINISHED, _FAILED = "finished", "failed"


@dataclass
class _Host:
    node: int
    file: Path
    heartbeat: str = ""
    has_changed: bool = False
    "Since this launcher started: what an earlier run has left means nothing."
    changed_at: float = 0.0

    def is_lost(self) -> bool:
        """Whether this host has failed, or has sent no heartbeat for too long."""
        heartbeat = _read(self.file)
        if heartbeat != self.heartbeat:
            self.heartbeat, self.has_changed, self.changed_at = heartbeat, True, time.monotonic()
        is_late = time.monotonic() > self.changed_at + _TIMEOUT_S
        return self.has_changed and (heartbeat == _FAILED or (is_late and heartbeat != _FINISHED))


class HostHeartbeats:
    """Folders: those of the hosts' logs; own: the number of this host. A single host sends no heartbeats."""

    def __init__(self, folders: list[Path], own: int) -> None:
        files = [folder / "heartbeat" for folder in folders]
        self._own = files[own]
        self._others = [_Host(node, file, _read(file)) for node, file in enumerate(files) if node != own]
        self._num_sent, self._next_at = 0, 0.0

    def send(self) -> None:
        """Sends a heartbeat if it is time for one."""
        if self._others and time.monotonic() >= self._next_at:
            self._num_sent, self._next_at = self._num_sent + 1, time.monotonic() + _INTERVAL_S
            write_atomic(self._own, str(self._num_sent))

    def lost_host(self) -> int | None:
        """The number of a host that is lost."""
        return next((host.node for host in self._others if host.is_lost()), None)

    def finish(self, *, succeeded: bool) -> None:
        """The last heartbeat."""
        if self._others:
            with suppress(OSError):  # Of a full disk, say: the others notice the silence, and the error comes first.
                write_atomic(self._own, _FINISHED if succeeded else _FAILED)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
