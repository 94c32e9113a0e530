"""Where a run starts or resumes: at step 0, or at its newest checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import Dataset
from shared.recogniser.checkpoint import load_parameters
from shared.recogniser.checkpoint_info import read_info
from trainer.training.compatibility import check_resumable


@dataclass(frozen=True)
class StartPoint:
    """Where training starts."""

    steps_done: int = 0
    "Since the start of training."
    elapsed_s: float = 0.0
    "Training time until there, over all restarts."
    checkpoint: Path | None = None
    "The one resumed from."


def restore(
    checkpoint: Path | None, dataset: Dataset, rank_slice: RankSlice, parameters: Sequence[ms.Parameter]
) -> StartPoint:
    """Loads `parameters` from a checkpoint, if there is one; raises `UsageError` when it is of another run."""
    if checkpoint is None:
        return StartPoint()
    info = read_info(checkpoint)
    check_resumable(info, dataset, rank_slice, checkpoint)
    return StartPoint(load_parameters(checkpoint, parameters), info.elapsed_s, checkpoint)
