"""Writes a run's checkpoints and best.json, and removes old checkpoints; only rank 0 does."""

from dataclasses import asdict
from pathlib import Path

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import Dataset
from shared.recogniser.checkpoint import remove_old_checkpoints, save_checkpoint
from shared.recogniser.checkpoint_info import BestCheckpoint, CheckpointInfo, checkpoint_name
from shared.system.atomic_file import writing
from trainer.config import TrainerConfig
from trainer.run_dir import RunDir
from trainer.training.step import TrainStep
from trainer.training.validation import ValidationHistory


def epoch_and_step(done: int, steps_per_epoch: int) -> tuple[int, int]:
    """After `done` steps, as in a checkpoint's name: epochs begun from 1, and steps done in the last of them."""
    epoch, step = divmod(max(done, 1) - 1, steps_per_epoch)
    return epoch + 1, min(step + 1, done)


class CheckpointWriter:
    """Knows what is the same in all checkpoints of a run."""

    def __init__(self, run: RunDir, config: TrainerConfig, dataset: Dataset, rank_slice: RankSlice) -> None:
        self._run, self._config, self._dataset, self._slice = run, config, dataset, rank_slice

    def write(self, step: TrainStep, done: int, elapsed_s: float, digest: str, history: ValidationHistory) -> Path:
        """Writes the checkpoint after `done` steps, then best.json, and only then removes what is too old.

        digest: of the weights. Returns the `.ckpt`.
        """
        epoch, step_of_epoch = epoch_and_step(done, self._slice.num_steps)
        info = CheckpointInfo(
            epoch=epoch,
            step=step_of_epoch,
            global_step=done,
            elapsed_s=round(elapsed_s, 2),
            ranks=self._slice.ranks,
            global_batch_size=self._slice.global_batch_size,
            fingerprint=self._dataset.fingerprint,
            split_count=self._slice.count,
            dataset=self._dataset.spec.to_mapping(),
            fonts=self._run.font_paths(),
            network=asdict(step.network.spec),
            config_digest=self._config.digest(),
            config=self._config.model_dump(mode="json"),
            weights_digest=digest,
            validation=asdict(history) if history.last_step else None,
        )
        folder = self._run.checkpoint_folder(self._config)
        with writing(folder):
            path = save_checkpoint(folder, info, step.state())
            remove_old_checkpoints(folder, self._config.keep_checkpoint_max, best=self.write_best(history))
        return path

    def write_best(self, history: ValidationHistory) -> str:
        """Brings best.json up to date; returns the file name of the best checkpoint, or "" without validation."""
        if history.best_step is None or history.best_accuracy is None:
            self._run.write_best(None)
            return ""
        name = checkpoint_name(*epoch_and_step(history.best_step, self._slice.num_steps))
        best = BestCheckpoint(
            checkpoint=f"{self._config.save_checkpoint_path}/{name}",
            step=history.best_step,
            valid_accuracy=history.best_accuracy,
        )
        self._run.write_best(best)
        return name
