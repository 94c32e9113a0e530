"""Progress and summary of a training run: one line that fits 80 columns, and a few lines at the end."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared.dataset.spec import Dataset
from trainer.run_dir import MetricsRow, Summary


class TrainingProgress:
    """A bar on a terminal, a plain line per log interval elsewhere; always on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._first_row: MetricsRow | None = None
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
        """Training begins, after `done` steps of `num_steps`."""
        if done >= num_steps:
            print(f"all {num_steps:,} steps are done; nothing is left to train", file=sys.stderr, flush=True)
            return
        todo = f"{num_steps:,} steps" if not done else f"steps {done + 1:,} to {num_steps:,}"
        print(f"training for {todo} on {self._data}", file=sys.stderr, flush=True)
        if self._console.is_terminal:
            fields = TextColumn(
                "loss {task.fields[loss]:.4f}  {task.fields[rate]:,.0f} images/s  wait {task.fields[wait]}"
            )
            columns = BarColumn(bar_width=16), MofNCompleteColumn(), fields, TimeRemainingColumn()
            self._bar = Progress(*columns, console=self._console)
            self._bar.add_task("", total=num_steps, completed=done, loss=float("nan"), rate=0.0, wait="0.0%")
            self._bar.start()

    def show_metrics_address(self, rank: int, address: str) -> None:
        """Where a rank answers Prometheus; nothing when the address is empty."""
        if address:
            print(f"metrics of rank {rank} on {address}", file=sys.stderr, flush=True)

    def show(self, row: MetricsRow, num_steps: int) -> None:
        """One log interval."""
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(
                task, completed=row.step, loss=row.loss, rate=row.images_per_s, wait=_waited(row.rank_wait_shares)
            )
            return
        first = self._first_row = self._first_row or row
        left = "--:--"
        if row.step > first.step:
            left_s = (row.elapsed_s - first.elapsed_s) / (row.step - first.step) * (num_steps - row.step)
            left = f"{int(left_s) // 60}:{int(left_s) % 60:02d}"
        valid = (f"valid {row.valid_accuracy:.2%}",) if row.valid_accuracy is not None else ()
        parts = f"step {row.step:>6,}/{num_steps:,}", f"loss {row.loss:8.4f}", f"{row.images_per_s:5,.0f} images/s"
        print(
            "  ".join((*parts, f"wait {_waited(row.rank_wait_shares):>5}", f"{left} left", *valid)),
            file=sys.stderr,
            flush=True,
        )

    def finish(self, summary: Summary) -> None:
        """The summary, on stdout."""
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
        if not summary.checkpoint:
            return
        if summary.stopped_early or summary.steps == summary.num_steps:
            print(f"next        python -m evaluator --ckpt {summary.checkpoint}")
        else:
            print("next        the same command with --resume")


def _waited(shares: list[float]) -> str:
    """The largest share, and, among several ranks, the rank that makes the others wait."""
    return f"{max(shares):.1%}" + (f" (rank {shares.index(max(shares))})" if len(shares) > 1 else "")
