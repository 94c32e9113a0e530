"""The training loop of one rank: batches in, optimizer steps, log lines, checkpoints, and a clean stop.

Note: nothing here decides what is read or in which order. The loop only counts steps; the stream derives the samples
from (order seed, epoch, step), so a run that was killed and resumed takes exactly the same steps.
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import mindspore as ms

from shared.client import DatasetClient
from shared.errors import StreamingError
from shared.recogniser.checkpoint import weights_digest
from shared.recogniser.dataset_adapter import BatchSource, StreamPlan, TensorRows, tensor_rows
from shared.recogniser.device_name import Device
from trainer.config import TrainerConfig
from trainer.distributed.collectives import check_same
from trainer.distributed.world import SINGLE_RANK, World
from trainer.progress.observer import TrainingObserver
from trainer.progress.wait_clock import WaitClock
from trainer.run_dir import MetricsRow, RunDir, Summary
from trainer.training.augmentation import BatchPreparation
from trainer.training.checkpoint_writer import CheckpointWriter
from trainer.training.compatibility import SPLIT, plan_slice
from trainer.training.initial_weights import init_from
from trainer.training.resume import restore
from trainer.training.run_files import RunFiles
from trainer.training.step import TrainStep, build_step
from trainer.training.step_totals import StepTotals, metrics_row
from trainer.training.validation import RunValidation, build_validator

_LOG = logging.getLogger(__name__)
_WAIT_WHEN_STOPPED_S = 3.0
"For data. A rank that waits in vain must have saved before its launcher's patience with it ends."


class Trainer:
    """One rank's run. `restore` loads the newest checkpoint, `train` takes the steps that are left."""

    def __init__(
        self,
        config: TrainerConfig,
        client: DatasetClient,
        run: RunDir,
        device: Device,
        observers: Sequence[TrainingObserver] = (),
        world: World = SINGLE_RANK,
    ) -> None:
        config = config.for_dataset(client.dataset.spec)
        self.config, self.client, self.run, self.world = config, client, run, world
        self.observers = list(observers)
        self.slice = plan_slice(config, client.dataset, world)
        self.num_steps = config.steps or config.epoch_size * self.slice.num_steps
        self.step: TrainStep = build_step(config, client.dataset.spec, self.slice, self.num_steps, device, world)
        validator = build_validator(config, self.step.network, client, device, world)
        self.validation = RunValidation(validator, config, self.num_steps)
        self.done, self.elapsed_s, self.checkpoint = 0, 0.0, ""
        self.saved_step: int | None = None
        self.row: MetricsRow | None = None
        "The last one logged."
        self.wait = WaitClock()
        self._writer = CheckpointWriter(run, config, client.dataset, self.slice)
        self._files = RunFiles(run, config, client.dataset, self.slice)
        self._source: BatchSource | None = None
        self._stopping = self._stopped = False

    def restore(self) -> None:
        """Goes to the newest checkpoint of the run, if there is one; raises `UsageError` when it does not fit.

        A run that has none starts with the weights of the one that its configuration names, if it names one.
        """
        found, dataset = self.run.checkpoints(self.config), self.client.dataset
        start = restore(found, dataset, self.slice, self.num_steps, self.step.state())
        self.done, self.elapsed_s, self.validation.history = start.steps_done, start.elapsed_s, start.validation
        if start.checkpoint is not None:
            self.checkpoint, self.saved_step = str(start.checkpoint), self.done
        elif self.config.init_from is not None:
            table = init_from(Path(self.config.init_from), self.step.network, dataset.spec.alphabet)
            if self.world.rank == 0:
                _LOG.warning("%s", table)

    def train(self) -> Summary:
        """Takes the steps that are left; raises the stream's own error when there is no data."""
        facts = self.done, weights_digest(self.step.state()), self.config.digest(), self.client.dataset.fingerprint
        check_same(self.world, "configuration, data set, weights or steps done", repr(facts))
        prepare = BatchPreparation(self.config, self.client.dataset.spec, self.step.network.spec)
        self._source = BatchSource(self.client, self._stream_plan(), prepare)
        try:
            totals = self._steps(tensor_rows(self._source, self.config.prefetch))
        finally:
            for each in (self._source, self.validation, self._files):
                each.close()
        return Summary(
            steps=self.done,
            num_steps=self.num_steps,
            train_s=round(self.elapsed_s, 1),
            images_per_s=totals.images_per_s(self.slice.global_batch_size),
            wait_share=max(totals.wait_shares()),
            rank_wait_shares=totals.wait_shares(),
            checkpoint=self.checkpoint,
            weights_digest=weights_digest(self.step.weights),
            stopped_early=self.validation.stopped_early,
            best_step=self.validation.history.best_step,
            valid_accuracy=self.validation.history.best_accuracy,
        )

    def stop(self) -> None:
        """Ends the run after the current step, with a checkpoint. Safe to call from a signal handler.

        Among several ranks it takes one step more: by that step all of them know, and stop together. A rank that still
        waits for data a few seconds later waits no longer.
        """
        self._stopping = True
        if self._source is not None and self.world == SINGLE_RANK:
            self._source.close()
        elif self._source is not None:
            threading.Timer(_WAIT_WHEN_STOPPED_S, self._source.close).start()

    @property
    def last_step(self) -> int:
        """The step that the run ends with, as far as is known."""
        return self.done if self.validation.stopped_early else self.num_steps

    @property
    def reopened(self) -> int:
        """Streams opened again after a fault, since this process began."""
        return 0 if self._source is None else self._source.reopened

    def _stream_plan(self) -> StreamPlan:
        return StreamPlan(
            split=SPLIT,
            slice=self.slice,
            first_step=self.done,
            last_step=self.last_step,
            order_seed=self.config.seed,
            shuffle=self.config.shuffle,
            codec=self.config.codec,
            prefetch=self.config.prefetch,
        )

    def _steps(self, rows: TensorRows) -> StepTotals:
        config, totals, interval, saved_at = self.config, StepTotals(), StepTotals(), -1
        if self.done > self.validation.history.last_step:
            self._validate()  # Due before this start, when the service was lost.
        while self.done < self.last_step and not self._stopped:
            took = self._take_step(rows)
            if took is None:
                self._save_alone()
                return totals
            interval += took
            totals += took
            accuracy = self._validate()
            if self.done % config.log_steps == 0 or self.done == self.num_steps or accuracy is not None:
                self._log(interval, accuracy)
                interval = StepTotals()
            is_best = self.done == self.validation.history.best_step
            if config.save_checkpoint and (is_best or self.done % config.save_checkpoint_steps == 0):
                self._save()
                saved_at = self.done
        if config.save_checkpoint and saved_at != self.done:
            self._save()
        return totals

    def _take_step(self, rows: TensorRows) -> StepTotals | None:
        """One step; None when the run was asked to stop."""
        started = self.wait.begin()
        if (row := self._next_row(rows)) is None:
            return None
        images, labels, indices = row
        waited_s = self.wait.end()
        self.validation.before_step(self.done + 1)
        result = self.step.run(images, labels, stop=self._stopping, wait_s=waited_s)
        if not math.isfinite(result.loss):
            raise StreamingError(f"the loss of step {self.done + 1} is {result.loss}; lower learning_rate or clip_norm")
        is_first = not self._files.are_open
        receipts = self._files.receipts(self.done)
        if is_first and self.world.rank == 0:
            self._writer.write_best(self.validation.history)
        self.done += 1
        self._stopped = result.stop
        receipts.add(self.done, indices.asnumpy())
        time_s = time.perf_counter() - started
        self.elapsed_s += time_s
        for observer in self.observers:
            observer.step(self.done, result.loss)
        return StepTotals(1, result.loss, result.grad_norm, result.wait_s, time_s)

    def _validate(self) -> float | None:
        started = time.perf_counter()
        try:
            accuracy = self.validation.after_step(self.done)
        except StreamingError as error:
            self._save_before(error)
            raise
        self.elapsed_s += time.perf_counter() - started
        return accuracy

    def _next_row(self, rows: TensorRows) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor] | None:
        """None when the run was asked to stop."""
        try:
            return None if self._stopping and self.world == SINGLE_RANK else next(rows)
        except (StopIteration, RuntimeError) as error:
            if self._stopping and (self._source is None or self._source.is_closed):
                return None
            reason = (self._source and self._source.error) or error
            if isinstance(reason, StreamingError):
                self._save_before(reason)
            raise reason from error

    def _log(self, interval: StepTotals, valid_accuracy: float | None) -> None:
        learning_rate = self.step.learning_rate(self.done - 1)
        row = metrics_row(interval, self.done, self.slice, learning_rate, self.elapsed_s, valid_accuracy)
        if self.world.rank == 0:
            self.run.append_metrics(row)
        self.row = row
        for observer in self.observers:
            observer.log(row)

    def _save(self) -> None:
        """Rank 0 writes, after all have their receipts on the disk and agree on the weights."""
        digest = weights_digest(self.step.weights)
        self._files.receipts(self.done).add_weights(self.done, digest)
        check_same(self.world, "weights", digest)
        if self.world.rank == 0:
            self.checkpoint = self._write_checkpoint(digest)
        self.saved_step = self.done

    def _save_alone(self) -> None:
        """Saves the steps taken, where any is not saved yet; the other ranks may be waiting for this one in a step."""
        if self.config.save_checkpoint and self._files.are_open and self.saved_step != self.done:
            if self.world == SINGLE_RANK:
                self._save()
            else:
                write = partial(self._write_checkpoint, weights_digest(self.step.weights))
                self.checkpoint, self.saved_step = self._files.save_alone(self.done, write), self.done

    def _save_before(self, error: StreamingError) -> None:
        """Saves the steps taken before a run ends with `error`, and adds to its message how to go on."""
        self._save_alone()
        if self.checkpoint:
            error.args = (f"{error}; all {self.done:,} steps are saved in {self.checkpoint}: continue with --resume",)

    def _write_checkpoint(self, digest: str) -> str:
        return str(self._writer.write(self.step, self.done, self.elapsed_s, digest, self.validation.history))
