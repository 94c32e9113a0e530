"""What the live page shows: the state of the training in this process, and the curves of its run so far."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from shared.page.run_curves import DrawnCurve, draw_curves
from shared.page.run_history import HistoryRow, read_history
from trainer.progress.remaining_time import RemainingTime
from trainer.run_dir import MetricsRow

if TYPE_CHECKING:
    from trainer.training.loop import Trainer

_DRAWING_SHARE = 0.05
"Of the time of one core, at most, for drawing while somebody looks."
_NUM_VALIDATIONS = 10
_STARVED_SHARE = 0.2
_LONG_WAIT_S = 5.0


@dataclass(frozen=True)
class Validation:
    """One validation of the run."""

    step: int
    accuracy: float
    is_best: bool
    "The highest so far; of equals the first."


@dataclass(frozen=True)
class View:
    """The training at one moment."""

    is_compiling: bool
    "The first step has not ended."
    done: int
    elapsed_s: float
    "Training time, over all restarts."
    left_s: float | None
    loss: float | None
    "Of the last step."
    row: MetricsRow | None
    "The last log interval since this process began."
    waiting_s: float
    "How long the wait for data has lasted by now, where it is long."
    starved_rank: int | None
    "The rank that waits most for data, where that matters."
    validations: Sequence[Validation]
    "The last ones, newest first."


class LiveTraining:
    """Listens to the training thread, and is read by the threads of the page."""

    def __init__(self, trainer: "Trainer") -> None:
        self.trainer = trainer
        self._remaining = RemainingTime()
        self._loss: float | None = None
        self._lock = threading.Lock()
        self._curves: list[DrawnCurve] = []
        self._drawn_step = 0
        self._draw_again_s = 0.0

    def step(self, done: int, loss: float) -> None:
        """After each optimizer step."""
        self._remaining.step(done)
        self._loss = loss

    def log(self, row: MetricsRow) -> None:
        """Nothing: the page reads the file, which holds the rows of earlier starts too."""

    def view(self, history: Sequence[HistoryRow]) -> View:
        """Now; history: as `history` gives it."""
        trainer, row = self.trainer, self.trainer.row
        _, waiting_s = trainer.wait.seconds(perf_counter())
        shares = row.rank_wait_shares if row is not None else [0.0]
        return View(
            is_compiling=not self._remaining.has_begun and trainer.done < trainer.num_steps,
            done=trainer.done,
            elapsed_s=trainer.elapsed_s,
            left_s=self._remaining.seconds(trainer.num_steps),
            loss=self._loss,
            row=row,
            waiting_s=waiting_s if waiting_s > _LONG_WAIT_S else 0.0,
            starved_rank=shares.index(max(shares)) if max(shares) > _STARVED_SHARE else None,
            validations=_last_validations(history),
        )

    def history(self) -> list[HistoryRow]:
        """Of the run, earlier starts included; empty on a host that does not share the run directory with rank 0."""
        return read_history(self.trainer.run.metrics_file)

    def curves(self, history: Sequence[HistoryRow]) -> Sequence[DrawnCurve]:
        """Drawn again when there are new rows, but not so often that the training would feel it."""
        with self._lock:
            began = monotonic()
            newest = history[-1].step if history else 0
            if newest != self._drawn_step and began >= self._draw_again_s:
                self._curves, self._drawn_step = draw_curves({"": history}), newest
                ended = monotonic()
                self._draw_again_s = ended + (ended - began) / _DRAWING_SHARE
            return self._curves


def _last_validations(history: Sequence[HistoryRow]) -> list[Validation]:
    found = [(row.step, row.valid_accuracy) for row in history if row.valid_accuracy is not None]
    best = max(found, key=lambda pair: pair[1], default=None)
    return [Validation(*pair, is_best=pair == best) for pair in found[: -_NUM_VALIDATIONS - 1 : -1]]
