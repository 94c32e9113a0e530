"""Checks that a run's configuration, its data set and the checkpoint it resumes from are compatible."""

from pathlib import Path

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import Dataset
from shared.errors import UsageError
from shared.recogniser.checkpoint_info import CheckpointInfo
from trainer.config import TrainerConfig
from trainer.distributed.world import World

SPLIT = "train"


def plan_slice(config: TrainerConfig, dataset: Dataset, world: World) -> RankSlice:
    """What a rank reads in each step; raises `UsageError` when configuration and data set are not compatible."""
    config.for_dataset(dataset.spec)
    if SPLIT not in dataset.counts:
        raise UsageError(f"the data set has no split {SPLIT!r}, only {', '.join(dataset.counts)}")
    global_batch_size = config.global_batch_size or config.batch_size * world.ranks
    count = dataset.counts[SPLIT]
    return RankSlice(count=count, global_batch_size=global_batch_size, rank=world.rank, ranks=world.ranks)


def check_resumable(info: CheckpointInfo, dataset: Dataset, rank_slice: RankSlice, num_steps: int, path: Path) -> None:
    """Raises `UsageError` when the steps after the checkpoint would not be those of the run that wrote it, or when the
    checkpoint is past the `num_steps` asked for.

    The number of ranks may differ: the global batches do not depend on it.
    """
    if info.global_step > num_steps:
        done = f"{path} has done {info.global_step:,} steps already, more than the {num_steps:,} asked for"
        raise UsageError(f"cannot resume: {done}; give --steps at least that many")
    for what, was, now in (
        ("fingerprint", info.fingerprint, dataset.fingerprint),
        ("train count", info.split_count, rank_slice.count),
        ("global_batch_size", info.global_batch_size, rank_slice.global_batch_size),
    ):
        if was != now:
            raise UsageError(
                f"cannot resume from {path}: its {what} is {was}, this run's is {now}; use the same data set"
            )
