"""The training loop of one rank: data in, steps out, a checkpoint now and then, and a clean stop.

What surprises: nothing here decides what is read or in which order. The loop only counts steps; the stream derives the
samples from (order seed, epoch, step), so a run that was killed and resumed takes exactly the same steps.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import mindspore as ms
import numpy as np
from numpy.typing import NDArray

from shared.client import DatasetClient
from shared.errors import StreamingError
from shared.recogniser.checkpoint import CheckpointInfo, load_parameters, read_info, save_checkpoint, weights_digest
from shared.recogniser.dataset_adapter import BatchSource, ReadingPlan, generator_dataset
from shared.recogniser.device import Device
from trainer.audit.receipt_files import Reading, ReceiptWriter
from trainer.config import TrainerConfig
from trainer.distributed.collectives import ALONE, Ranks, check_same
from trainer.run_dir import MetricsRow, RunDir, Summary
from trainer.training.compatibility import SPLIT, check_resumable, plan_slice
from trainer.training.rank_metrics import WaitClock
from trainer.training.step import TrainStep, build_step


@dataclass
class Totals:
    """Sums over some steps."""

    steps: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    wait_s: NDArray[np.float32] | float = 0.0
    "[ranks], once a step has been added."
    time_s: float = 0.0

    def __iadd__(self, other: "Totals") -> "Totals":
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def wait_shares(self) -> list[float]:
        """Time waited for data / time, of each rank."""
        return [round(float(wait_s) / max(self.time_s, 1e-9), 4) for wait_s in np.atleast_1d(self.wait_s)]


class Trainer:
    """One rank's run: goes on where the newest checkpoint ends and trains to the last step."""

    def __init__(
        self,
        config: TrainerConfig,
        client: DatasetClient,
        run: RunDir,
        device: Device,
        report: Callable[[MetricsRow, int], None],
        ranks: Ranks = ALONE,
    ) -> None:
        self.config, self.client, self.run, self.device, self.report = config, client, run, device, report
        self.ranks, self.slice = ranks, plan_slice(config, client.dataset, ranks.rank, ranks.ranks)
        self.num_steps = config.steps or config.epoch_size * self.slice.num_steps
        spec = client.dataset.spec
        self.step: TrainStep = build_step(config, spec, self.slice, self.num_steps, device, ranks)
        self.done, self.elapsed_s, self.checkpoint = 0, 0.0, ""
        self.saved_step: int | None = None
        self.row: MetricsRow | None = None
        "The last one logged."
        self.wait = WaitClock()
        self._stopping = self._stopped = False
        self._restore()
        self._open_stream()

    def stop(self) -> None:
        """Ends the run after the step under way, with a checkpoint. Safe to call from a signal handler.

        Among several ranks it takes one step more: by that step all of them know, and stop together.
        """
        self._stopping = True
        if self.ranks == ALONE:
            self._source.close()

    @property
    def reopened(self) -> int:
        """Streams opened again after a fault, since this process began."""
        return self._source.reopened

    def _open_stream(self) -> None:
        plan = ReadingPlan(
            split=SPLIT,
            slice=self.slice,
            first_step=self.done,
            last_step=self.num_steps,
            order_seed=self.config.seed,
            shuffle=self.config.shuffle,
            codec=self.config.codec,
            prefetch=self.config.prefetch,
        )
        self._source = BatchSource(self.client, plan)
        self._rows: Iterator[tuple[ms.Tensor, ms.Tensor, ms.Tensor]] = iter(())
        if not len(self._source):
            return  # A finished run, resumed: MindSpore refuses a source without rows.
        rows = generator_dataset(self._source, self.config.prefetch).create_tuple_iterator(num_epochs=1)
        self._rows = iter(rows)

    def train(self) -> Summary:
        """Takes the steps that are left; raises the stream's own error when the data cannot be had."""
        facts = self.done, weights_digest(self.step.state()), self.config.digest(), self.client.dataset.fingerprint
        check_same(self.ranks, "configuration, data set, weights or steps done", repr(facts))
        self._receipts = ReceiptWriter(self.run.receipts, self._reading())
        try:
            totals = self._steps()
        finally:
            self._source.close()
            self._receipts.close()
        return Summary(
            steps=self.done,
            num_steps=self.num_steps,
            train_s=round(self.elapsed_s, 1),
            images_per_s=round(totals.steps * self.slice.global_batch_size / max(totals.time_s, 1e-9), 1),
            wait_share=max(totals.wait_shares()),
            rank_wait_shares=totals.wait_shares(),
            checkpoint=self.checkpoint,
            weights_digest=weights_digest(self.step.weights),
        )

    def _steps(self) -> Totals:
        config, totals, interval, saved_at = self.config, Totals(), Totals(), -1
        while self.done < self.num_steps and not self._stopped:
            took = self._take_step()
            if took is None:
                break
            interval += took
            totals += took
            if self.done % config.log_steps == 0 or self.done == self.num_steps:
                self._log(interval)
                interval = Totals()
            if config.save_checkpoint and self.done % config.save_checkpoint_steps == 0:
                self._save()
                saved_at = self.done
        if config.save_checkpoint and saved_at != self.done:
            self._save()
        return totals

    def _take_step(self) -> Totals | None:
        """One step; None when the run was asked to stop."""
        started = self.wait.begin()
        try:
            if self._stopping and self.ranks == ALONE:
                return None
            images, labels, indices = next(self._rows)
        except (StopIteration, RuntimeError) as error:
            if self._stopping and self.ranks == ALONE:
                return None
            raise self._source.error or error from error
        waited_s = self.wait.end()
        result = self.step.run(images, labels, stop=self._stopping, wait_s=waited_s)
        if not math.isfinite(result.loss):
            raise StreamingError(f"the loss of step {self.done + 1} is {result.loss}; lower learning_rate or clip_norm")
        self.done += 1
        self._stopped = result.stop
        self._receipts.add(self.done, indices.asnumpy())
        time_s = time.perf_counter() - started
        self.elapsed_s += time_s
        return Totals(1, result.loss, result.grad_norm, result.wait_s, time_s)

    def _log(self, interval: Totals) -> None:
        shares = interval.wait_shares()
        row = MetricsRow(
            step=self.done,
            epoch=self._epoch_and_step()[0],
            loss=interval.loss / interval.steps,
            grad_norm=interval.grad_norm / interval.steps,
            lr=self.step.learning_rate(self.done - 1),
            images_per_s=round(interval.steps * self.slice.global_batch_size / interval.time_s, 1),
            wait_share=max(shares),
            elapsed_s=round(self.elapsed_s, 2),
            rank_wait_shares=shares,
        )
        if self.ranks.rank == 0:
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
        self._receipts.note_weights(self.done, digest)
        check_same(self.ranks, "weights", digest)
        if self.ranks.rank == 0:
            self._write_checkpoint(digest)
        self.saved_step = self.done

    def _write_checkpoint(self, digest: str) -> None:
        epoch, step = self._epoch_and_step()
        dataset = self.client.dataset
        info = CheckpointInfo(
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
            weights_digest=digest,
        )
        folder = self.run.checkpoint_folder(self.config)
        self.checkpoint = str(save_checkpoint(folder, info, self.step.state(), self.config.keep_checkpoint_max))

    def _restore(self) -> None:
        newest = self.run.newest_checkpoint(self.config)
        if newest is not None:
            info = read_info(newest)
            check_resumable(info, self.client.dataset, self.slice, newest)
            self.done = load_parameters(newest, self.step.state())
            self.elapsed_s, self.checkpoint, self.saved_step = info.elapsed_s, str(newest), self.done
        if self.ranks.rank == 0:
            self.run.cut_metrics(self.done)

    def _reading(self) -> Reading:
        return Reading(
            resumed_after=self.done,
            rank=self.ranks.rank,
            ranks=self.ranks.ranks,
            split=SPLIT,
            count=self.slice.count,
            global_batch_size=self.slice.global_batch_size,
            order_seed=self.config.seed,
            shuffle=self.config.shuffle,
            fingerprint=self.client.dataset.fingerprint,
        )
