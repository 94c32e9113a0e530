"""Sums over several optimizer steps, from which the means of a log interval and of a run are computed."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from shared.dataset.rank_slice import RankSlice
from trainer.run_dir import MetricsRow
from trainer.training.checkpoint_writer import epoch_and_step


@dataclass
class StepTotals:
    """Sums over some steps."""

    steps: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    wait_s: NDArray[np.float32] | float = 0.0
    "[ranks], once a step has been added."
    time_s: float = 0.0

    def __iadd__(self, other: "StepTotals") -> "StepTotals":
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def wait_shares(self) -> list[float]:
        """Time waited for data / time, of each rank."""
        return [round(float(wait_s) / max(self.time_s, 1e-9), 4) for wait_s in np.atleast_1d(self.wait_s)]

    def images_per_s(self, global_batch_size: int) -> float:
        """Of all ranks together."""
        return round(self.steps * global_batch_size / max(self.time_s, 1e-9), 1)


def metrics_row(
    interval: StepTotals,
    done: int,
    rank_slice: RankSlice,
    learning_rate: float,
    elapsed_s: float,
    valid_accuracy: float | None,
) -> MetricsRow:
    """The log line of the steps in `interval`, of which the last was step `done`."""
    shares = interval.wait_shares()
    return MetricsRow(
        step=done,
        epoch=epoch_and_step(done, rank_slice.num_steps)[0],
        loss=interval.loss / interval.steps,
        grad_norm=interval.grad_norm / interval.steps,
        lr=learning_rate,
        images_per_s=interval.images_per_s(rank_slice.global_batch_size),
        wait_share=max(shares),
        elapsed_s=round(elapsed_s, 2),
        rank_wait_shares=shares,
        valid_accuracy=valid_accuracy,
    )
