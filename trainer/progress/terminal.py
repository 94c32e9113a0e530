"""Progress and summary of a training run: one line that fits 80 columns, and a few lines at the end."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from shared.dataset.spec import Dataset
from trainer.progress.observer import RateLimit
from trainer.progress.remaining_time import RemainingTime
from trainer.run_dir import MetricsRow, Summary

_MOVES_EVERY_S = 1.0


class TrainingProgress:
    """A bar on a terminal, which moves every second; a plain line per log interval elsewhere. Always on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._num_steps = 0
        self._remaining, self._limit = RemainingTime(), RateLimit(_MOVES_EVERY_S)
        self._data = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def set_data(self, dataset: Dataset, target: str, split: str) -> None:
        """What is trained on; `begin` prints it."""
        self._data = f"{dataset.counts[split]:,} {split} samples from {target}, fingerprint {dataset.fingerprint[:12]}"

    def begin(self, done: int, num_steps: int) -> None:
        """Training begins, after `done` steps of `num_steps`. The first step compiles the network."""
        self._num_steps = num_steps
        if done >= num_steps:
            print(f"all {num_steps:,} steps are done; nothing is left to train", file=sys.stderr, flush=True)
            return
        todo = f"{num_steps:,} steps" if not done else f"steps {done + 1:,} to {num_steps:,}"
        print(f"training for {todo} on {self._data}", file=sys.stderr, flush=True)
        if not self._console.is_terminal:
            print("compiling the network", file=sys.stderr, flush=True)
            return
        # What does not fit is left out of the figures: how far and how long stay whole, on one line.
        whole = Column(no_wrap=True)
        columns = BarColumn(bar_width=14), MofNCompleteColumn(table_column=whole), _Figures(), _TimeLeft(whole)
        self._bar = Progress(*columns, console=self._console)
        self._bar.add_task("compiling the network", total=num_steps, completed=done, left="")
        self._bar.start()

    def show_metrics_address(self, rank: int, address: str) -> None:
        """Where a rank answers Prometheus; nothing when the address is empty."""
        if address:
            print(f"metrics of rank {rank} on {address}", file=sys.stderr, flush=True)

    def step(self, done: int, loss: float) -> None:
        """One optimizer step, or several since the last call."""
        self._remaining.step(done)
        if self._bar is None or not self._limit.allows():
            return
        task = self._bar.tasks[0]
        figures = task.fields.get("figures", "")
        description = f"loss {loss:.4f}{figures}"
        self._bar.update(task.id, completed=done, description=description, left=self._left())

    def log(self, row: MetricsRow) -> None:
        """One log interval."""
        waited = _waited(row.rank_wait_shares)
        if self._bar is not None:
            figures = f"  {row.images_per_s:,.0f} images/s  wait {waited}"
            description = f"loss {row.loss:.4f}{figures}"
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=row.step, description=description, figures=figures, left=self._left())
            return
        valid = (f"valid {row.valid_accuracy:.2%}",) if row.valid_accuracy is not None else ()
        parts = (
            f"step {row.step:>6,}/{self._num_steps:,}",
            f"loss {row.loss:8.4f}",
            f"{row.images_per_s:5,.0f} images/s",
            f"wait {waited:>5}",
            f"{self._left() or '--:--'} left",
            *valid,
        )
        print("  ".join(parts), file=sys.stderr, flush=True)

    def finish(self, summary: Summary, next_command: str) -> None:
        """The summary, on stdout; next_command: what to run now, ready for a shell, or nothing."""
        if self._bar is not None:
            self._bar.stop()
        done = "trained" if summary.steps == summary.num_steps else "stopped after"
        done = "stopped early, after" if summary.stopped_early else done
        waited = f"waited for data {_waited(summary.rank_wait_shares)} of the time"
        rate = f": {summary.images_per_s:,.0f} images/s, {waited}"
        print(f"{done} {summary.steps:,} steps in {summary.train_s:,.0f} s{rate if summary.images_per_s else ''}")
        print(f"checkpoint  {summary.checkpoint or 'none, as save_checkpoint asks'}")
        print(f"weights     {summary.weights_digest}")
        if summary.valid_accuracy is not None:
            print(f"validation  {summary.valid_accuracy:.2%} at best, after {summary.best_step:,} steps (best.json)")
        if next_command:
            print(f"next        {next_command}")

    def _left(self) -> str:
        """Minutes and seconds; nothing while unknown."""
        seconds = self._remaining.seconds(self._num_steps)
        return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class _Figures(ProgressColumn):
    """The description of the task, as much of it as there is room for."""

    def render(self, task: Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="ellipsis")


class _TimeLeft(ProgressColumn):
    """The time left; until it is known, the time that has passed."""

    def render(self, task: Task) -> Text:
        if task.fields["left"]:
            return Text(f"{task.fields['left']} left")
        return Text(f"{task.elapsed or 0:.0f} s")


def _waited(shares: list[float]) -> str:
    """The largest share, and, among several ranks, the rank that makes the others wait."""
    return f"{max(shares):.1%}" + (f" (rank {shares.index(max(shares))})" if len(shares) > 1 else "")
