"""Sums over several optimizer steps, from which the means of a log interval and of a run are computed."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray


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
