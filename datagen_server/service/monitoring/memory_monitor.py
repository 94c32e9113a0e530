"""Looks after the memory of a server twice a second: gives freed memory back, and lets none be held by the stalled.

A reader that stalls holds its message for as long as it likes. While others wait for memory, the streams that have
waited longest for their readers are ended: a reader resumes at its step when it goes on, and has lost nothing.
"""

import threading
from time import perf_counter

from datagen_server.service.memory_budget import MemoryBudget
from datagen_server.service.monitoring.stream_metrics import ServiceMetrics
from shared.system.malloc import give_back_freed, resident_bytes

_LOOKS_S = 0.5
_PATIENCE_S = 2.0
_STALLED_S = 5.0
_WORTH_BYTES = 32 << 20


class MemoryMonitor(threading.Thread):
    """Runs from `start` to `stop`."""

    def __init__(self, budget: MemoryBudget, metrics: ServiceMetrics) -> None:
        super().__init__(name="memory", daemon=True)
        self._budget, self._metrics = budget, metrics
        self._stopped = threading.Event()
        self._most_held = 0
        self._at_start = resident_bytes()

    def run(self) -> None:
        """Looks, again and again."""
        while not self._stopped.wait(_LOOKS_S):
            self.look()

    def stop(self) -> None:
        """Ends it before its next look."""
        self._stopped.set()

    def look(self) -> None:
        """One look."""
        self._end_stalled()
        held = self._budget.held
        self._most_held = max(self._most_held, held)
        # Under a steady load the same blocks are used again and again: there is nothing to give back.
        has_fallen = held * 2 < self._most_held and self._most_held - held > _WORTH_BYTES
        # But blocks of one size may lie idle while those of another are asked for.
        if has_fallen or self._unreserved() > max(_WORTH_BYTES, self._budget.limit // 8):
            give_back_freed()
            self._most_held = held
        # An eighth more, for it grows until the next look.
        self._budget.count_unreserved(self._unreserved() + self._budget.limit // 8)

    def _unreserved(self) -> int:
        return max(0, resident_bytes() - self._at_start - self._budget.held)

    def _end_stalled(self) -> None:
        now = perf_counter()
        num_waiting = sum(now - since > _PATIENCE_S for since in self._budget.waiting_since())
        if not num_waiting:
            return
        streams = [(meter.waits(now), meter) for meter in self._metrics.open_streams()]
        stalled = [(waits.lasted_s, meter) for waits, meter in streams if waits.who == "reader"]
        for lasted_s, meter in sorted(stalled, key=lambda pair: -pair[0])[:num_waiting]:
            if lasted_s > _STALLED_S:
                meter.end("ended for its memory: its reader had stalled while others waited")
