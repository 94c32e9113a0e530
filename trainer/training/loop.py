"""The training loop of one rank: batches in, optimizer steps, log lines, checkpoints, and a clean stop.

Note: nothing here decides what is read or in which order. The loop only counts steps; the stream derives the samples
from (order seed, epoch, step), so a run that was killed and resumed takes exactly the same steps.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

import mindspore as ms

from shared.client import DatasetClient
from shared.errors import StreamingError
from shared.recogniser.checkpoint import save_checkpoint, weights_digest
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.dataset_adapter import BatchSource, StreamPlan, generator_dataset
from shared.recogniser.device import Device
from shared.system.atomic_file import writing
from trainer.config import TrainerConfig
from trainer.distributed.collectives import check_same
from trainer.distributed.world import SINGLE_RANK, World
from trainer.run_dir import MetricsRow, RunDir, Summary
from trainer.training.compatibility import SPLIT, plan_slice
from trainer.training.resume import StartPoint, restore
from trainer.training.run_files import RunFiles
from trainer.training.step import TrainStep, build_step
from trainer.training.step_totals import StepTotals
from trainer.training.wait_clock import WaitClock

Rows = Iterator[tuple[ms.Tensor, ms.Tensor, ms.Tensor]]
"Images, labels and indices of one step after another."


class Trainer:
    """One rank's run. `restore` loads the newest checkpoint, `train` takes the steps that are left."""

    def __init__(
        self,
        config: TrainerConfig,
        client: DatasetClient,
        run: RunDir,
        device: Device,
        report: Callable[[MetricsRow, int], None],
        world: World = SINGLE_RANK,
    ) -> None:
        self.config, self.client, self.run, self.report, self.world = config, client, run, report, world
        self.slice = plan_slice(config, client.dataset, world)
        self.num_steps = config.steps or config.epoch_size * self.slice.num_steps
        self.step: TrainStep = build_step(config, client.dataset.spec, self.slice, self.num_steps, device, world)
        self.done, self.elapsed_s, self.checkpoint = 0, 0.0, ""
        self.saved_step: int | None = None
        self.row: MetricsRow | None = None
        "The last one logged."
        self.wait = WaitClock()
        self._files = RunFiles(run, config, client.dataset, self.slice)
        self._source: BatchSource | None = None
        self._stopping = self._stopped = False

    def restore(self) -> None:
        """Goes to the newest checkpoint of the run, if there is one; raises `UsageError` when it does not fit."""
        newest = self.run.newest_checkpoint(self.config)
        start: StartPoint = restore(newest, self.client.dataset, self.slice, self.step.state())
        self.done, self.elapsed_s = start.steps_done, start.elapsed_s
        if start.checkpoint is not None:
            self.checkpoint, self.saved_step = str(start.checkpoint), self.done

    def train(self) -> Summary:
        """Takes the steps that are left; raises the stream's own error when there is no data."""
        facts = self.done, weights_digest(self.step.state()), self.config.digest(), self.client.dataset.fingerprint
        check_same(self.world, "configuration, data set, weights or steps done", repr(facts))
        self._source = BatchSource(self.client, self._stream_plan())
        try:
            totals = self._steps(self._rows(self._source))
        finally:
            self._source.close()
            self._files.close()
        return Summary(
            steps=self.done,
            num_steps=self.num_steps,
            train_s=round(self.elapsed_s, 1),
            images_per_s=totals.images_per_s(self.slice.global_batch_size),
            wait_share=max(totals.wait_shares()),
            rank_wait_shares=totals.wait_shares(),
            checkpoint=self.checkpoint,
            weights_digest=weights_digest(self.step.weights),
        )

    def stop(self) -> None:
        """Ends the run after the current step, with a checkpoint. Safe to call from a signal handler.

        Among several ranks it takes one step more: by that step all of them know, and stop together.
        """
        self._stopping = True
        if self.world == SINGLE_RANK and self._source is not None:
            self._source.close()

    @property
    def reopened(self) -> int:
        """Streams opened again after a fault, since this process began."""
        return 0 if self._source is None else self._source.reopened

    def _stream_plan(self) -> StreamPlan:
        return StreamPlan(
            split=SPLIT,
            slice=self.slice,
            first_step=self.done,
            last_step=self.num_steps,
            order_seed=self.config.seed,
            shuffle=self.config.shuffle,
            codec=self.config.codec,
            prefetch=self.config.prefetch,
        )

    def _rows(self, source: BatchSource) -> Rows:
        if not len(source):
            return iter(())  # A finished run, resumed: MindSpore refuses a source without rows.
        return iter(generator_dataset(source, self.config.prefetch).create_tuple_iterator(num_epochs=1))

    def _steps(self, rows: Rows) -> StepTotals:
        config, totals, interval, saved_at = self.config, StepTotals(), StepTotals(), -1
        while self.done < self.num_steps and not self._stopped:
            took = self._take_step(rows)
            if took is None:
                break
            interval += took
            totals += took
            if self.done % config.log_steps == 0 or self.done == self.num_steps:
                self._log(interval)
                interval = StepTotals()
            if config.save_checkpoint and self.done % config.save_checkpoint_steps == 0:
                self._save()
                saved_at = self.done
        if config.save_checkpoint and saved_at != self.done:
            self._save()
        return totals

    def _take_step(self, rows: Rows) -> StepTotals | None:
        """One step; None when the run was asked to stop."""
        started = self.wait.begin()
        if (row := self._next_row(rows)) is None:
            return None
        images, labels, indices = row
        waited_s = self.wait.end()
        result = self.step.run(images, labels, stop=self._stopping, wait_s=waited_s)
        if not math.isfinite(result.loss):
            raise StreamingError(f"the loss of step {self.done + 1} is {result.loss}; lower learning_rate or clip_norm")
        receipts = self._files.receipts(self.done)
        self.done += 1
        self._stopped = result.stop
        receipts.add(self.done, indices.asnumpy())
        time_s = time.perf_counter() - started
        self.elapsed_s += time_s
        return StepTotals(1, result.loss, result.grad_norm, result.wait_s, time_s)

    def _next_row(self, rows: Rows) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor] | None:
        """None when the run was asked to stop."""
        try:
            return None if self._stopping and self.world == SINGLE_RANK else next(rows)
        except (StopIteration, RuntimeError) as error:
            if self._stopping and self.world == SINGLE_RANK:
                return None
            reason = (self._source and self._source.error) or error
            if isinstance(reason, StreamingError):
                self._save_before(reason)
            raise reason from error

    def _log(self, interval: StepTotals) -> None:
        shares = interval.wait_shares()
        row = MetricsRow(
            step=self.done,
            epoch=self._epoch_and_step()[0],
            loss=interval.loss / interval.steps,
            grad_norm=interval.grad_norm / interval.steps,
            lr=self.step.learning_rate(self.done - 1),
            images_per_s=interval.images_per_s(self.slice.global_batch_size),
            wait_share=max(shares),
            elapsed_s=round(self.elapsed_s, 2),
            rank_wait_shares=shares,
        )
        if self.world.rank == 0:
            self.run.append_metrics(row)
        self.row = row
        self.report(row, self.num_steps)

    def _epoch_and_step(self) -> tuple[int, int]:
        """As in a checkpoint's name: epochs begun from 1, and steps done in the last of them."""
        epoch, step = divmod(max(self.done, 1) - 1, self.slice.num_steps)
        return epoch + 1, min(step + 1, self.done)

    def _save(self) -> None:
        """Rank 0 writes, after all have their receipts on the disk and agree on the weights."""
        digest = weights_digest(self.step.weights)
        self._files.receipts(self.done).add_weights(self.done, digest)
        check_same(self.world, "weights", digest)
        if self.world.rank == 0:
            self.checkpoint = self._write_checkpoint(digest)
        self.saved_step = self.done

    def _save_before(self, error: StreamingError) -> None:
        """Saves the steps taken before a run ends with `error`, and adds to its message how to go on."""
        if self.config.save_checkpoint and self._files.are_open and self.saved_step != self.done:
            if self.world == SINGLE_RANK:
                self._save()
            else:
                write = partial(self._write_checkpoint, weights_digest(self.step.weights))
                self.checkpoint = self._files.save_alone(self.done, write)
        if self.checkpoint:
            error.args = (f"{error}; all {self.done:,} steps are saved in {self.checkpoint}: continue with --resume",)

    def _write_checkpoint(self, digest: str) -> str:
        folder, keep = self.run.checkpoint_folder(self.config), self.config.keep_checkpoint_max
        with writing(folder):
            return str(save_checkpoint(folder, self._checkpoint_info(digest), self.step.state(), keep))

    def _checkpoint_info(self, digest: str) -> CheckpointInfo:
        epoch, step = self._epoch_and_step()
        dataset = self.client.dataset
        return CheckpointInfo(
            epoch=epoch,
            step=step,
            global_step=self.done,
            elapsed_s=round(self.elapsed_s, 2),
            ranks=self.slice.ranks,
            global_batch_size=self.slice.global_batch_size,
            fingerprint=dataset.fingerprint,
            split_count=self.slice.count,
            dataset=asdict(dataset.spec),
            network=asdict(self.step.network.spec),
            config_digest=self.config.digest(),
            config=self.config.model_dump(mode="json"),
            weights_digest=digest,
        )
