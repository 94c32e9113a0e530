"""Where a run starts or resumes: at step 0, or at its newest checkpoint that is not damaged."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mindspore as ms

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import Dataset
from shared.errors import DataLoss
from shared.recogniser.checkpoint import load_parameters
from shared.recogniser.checkpoint_info import CheckpointInfo, read_info
from trainer.training.compatibility import check_resumable
from trainer.training.validation import ValidationHistory

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartPoint:
    """Where training starts."""

    steps_done: int = 0
    "Since the start of training."
    elapsed_s: float = 0.0
    "Training time until there, over all restarts."
    checkpoint: Path | None = None
    "The one resumed from."
    validation: ValidationHistory = field(default_factory=ValidationHistory)


def restore(
    checkpoints: Sequence[Path],
    dataset: Dataset,
    rank_slice: RankSlice,
    num_steps: int,
    parameters: Sequence[ms.Parameter],
) -> StartPoint:
    """Loads `parameters` from the newest of a run's checkpoints, oldest first, if there is one.

    num_steps: the steps that the run is to have in the end. Raises `UsageError` when the checkpoint is of another run
    or past that end, `DataLoss` when all are damaged.
    """
    if not checkpoints:
        return StartPoint()
    path, info = _newest_undamaged(checkpoints, warn=rank_slice.rank == 0)
    check_resumable(info, dataset, rank_slice, num_steps, path)
    validation = ValidationHistory() if info.validation is None else ValidationHistory(**info.validation)
    return StartPoint(load_parameters(path, parameters), info.elapsed_s, path, validation)


def _newest_undamaged(checkpoints: Sequence[Path], *, warn: bool) -> tuple[Path, CheckpointInfo]:
    damages: list[str] = []
    for path in reversed(checkpoints):
        try:
            info = read_info(path)
        except DataLoss as error:
            damages.append(str(error).partition("; take another")[0])
            continue
        if damages and warn:
            _LOG.warning("%s; resuming from %s instead", "; ".join(damages), path)
        return path, info
    raise DataLoss(f"{damages[0]}, and the run has no other checkpoint; start a new --run-dir")
