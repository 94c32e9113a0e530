"""The launchers of a run's hosts: each leaves a sign of life in the run directory and looks for those of the others.

What surprises: MindSpore takes more than half a minute to notice that another host is gone. Hosts that do not share
their run directory see no signs, and are left to MindSpore.
"""

import time
from dataclasses import dataclass
from pathlib import Path

_SIGN_EVERY_S = 1.0
_LOST_AFTER_S = 8.0
"Without a new sign; a shared file system may hold one back for three seconds."


@dataclass
class _Peer:
    node: int
    file: Path
    sign: str = ""
    has_changed: bool = False
    "Since this launcher started: what an earlier run has left says nothing."
    seen_at: float = 0.0

    def look(self) -> bool:
        """Whether this host is lost: it said so, or has given no sign for too long."""
        sign = _read(self.file)
        if sign != self.sign:
            self.sign, self.has_changed, self.seen_at = sign, True, time.monotonic()
        is_late = time.monotonic() > self.seen_at + _LOST_AFTER_S
        return self.has_changed and (sign == "failed" or (is_late and sign != "ended"))


class Peers:
    """Folders: those of the hosts' logs, this one's with the number `own`. One host alone leaves no signs."""

    def __init__(self, folders: list[Path], own: int) -> None:
        files = [folder / "launcher" for folder in folders]
        self._own = files[own]
        self._peers = [_Peer(node, file, _read(file)) for node, file in enumerate(files) if node != own]
        self._num_signs, self._next_sign_at = 0, 0.0

    def lost(self) -> int | None:
        """Gives a sign of life if it is time for one; a host that is lost."""
        if self._peers and time.monotonic() >= self._next_sign_at:
            self._num_signs, self._next_sign_at = self._num_signs + 1, time.monotonic() + _SIGN_EVERY_S
            self._own.write_text(str(self._num_signs))
        return next((peer.node for peer in self._peers if peer.look()), None)

    def leave(self, *, well: bool) -> None:
        """The last sign."""
        if self._peers:
            self._own.write_text("ended" if well else "failed")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
