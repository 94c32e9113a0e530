"""The training loop of one rank: data in, steps out, a checkpoint now and then, and a clean stop.

What surprises: nothing here decides what is read or in which order. The loop only counts steps; the stream derives the
samples from (order seed, epoch, step), so a run that was killed and resumed takes exactly the same steps.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import mindspore as ms

from shared.client import DatasetClient
from shared.errors import StreamingError, UsageError
from shared.nn.checkpoint import CheckpointInfo, load_parameters, read_info, save_checkpoint, weights_digest
from shared.nn.runtime import Device
from shared.nn.stream import BatchSource, ReadingPlan, generator_dataset
from shared.sharding import RankSlice
from shared.spec import Dataset
from trainer.config import TrainerConfig
from trainer.run_dir import MetricsRow, RunDir
from trainer.step import TrainStep, build_step

SPLIT = "train"


@dataclass
class Totals:
    """Sums over some steps."""

    steps: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    wait_s: float = 0.0
    time_s: float = 0.0

    def __iadd__(self, other: "Totals") -> "Totals":
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


@dataclass(frozen=True)
class Summary:
    """What a finished or interrupted run says of itself."""

    steps: int
    "Steps done since the start of training."
    num_steps: int
    "Steps asked for."
    train_s: float
    "Over all restarts."
    images_per_s: float
    wait_share: float
    checkpoint: str
    weights_digest: str


class Trainer:
    """One rank's run: goes on where the newest checkpoint ends and trains to the last step.

    Making one starts reading, and MindSpore then takes the signals for itself: set handlers afterwards.
    """

    def __init__(
        self,
        config: TrainerConfig,
        client: DatasetClient,
        run: RunDir,
        device: Device,
        report: Callable[[MetricsRow, int], None],
    ) -> None:
        _check_agreement(config, client.dataset)
        self.config, self.client, self.run, self.device, self.report = config, client, run, device, report
        self.slice = RankSlice(
            count=client.dataset.counts[SPLIT], global_batch_size=config.global_batch_size or config.batch_size
        )
        self.num_steps = config.steps or config.epoch_size * self.slice.num_steps
        self.step: TrainStep = build_step(config, client.dataset.spec, self.slice.batch_size, self.num_steps, device)
        self.done, self.elapsed_s, self.checkpoint = 0, 0.0, ""
        self._stopping = False
        self._restore()
        self._open_stream()

    def stop(self) -> None:
        """Ends the run after the step under way, with a checkpoint. Safe to call from a signal handler."""
        self._stopping = True
        self._source.close()

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
        rows = generator_dataset(self._source, self.config.prefetch).create_tuple_iterator(num_epochs=1)
        self._rows: Iterator[tuple[ms.Tensor, ms.Tensor]] = iter(rows)

    def train(self) -> Summary:
        """Takes the steps that are left; raises the stream's own error when the data cannot be had."""
        try:
            totals = self._steps()
        finally:
            self._source.close()
        return Summary(
            steps=self.done,
            num_steps=self.num_steps,
            train_s=round(self.elapsed_s, 1),
            images_per_s=round(totals.steps * self.slice.global_batch_size / max(totals.time_s, 1e-9), 1),
            wait_share=round(totals.wait_s / max(totals.time_s, 1e-9), 4),
            checkpoint=self.checkpoint,
            weights_digest=weights_digest(self.step.weights),
        )

    def _steps(self) -> Totals:
        config, totals, interval, saved_at = self.config, Totals(), Totals(), -1
        while self.done < self.num_steps:
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
        if saved_at != self.done:
            self._save()
        return totals

    def _take_step(self) -> Totals | None:
        """One step; None when the run was asked to stop."""
        started = time.perf_counter()
        try:
            if self._stopping:
                return None
            images, labels = next(self._rows)
        except (StopIteration, RuntimeError) as error:
            if self._stopping:
                return None
            raise self._source.error or error from error
        waited = time.perf_counter()
        result = self.step.run(images, labels)
        if not math.isfinite(result.loss):
            raise StreamingError(f"the loss of step {self.done + 1} is {result.loss}; lower learning_rate or clip_norm")
        self.done += 1
        time_s = time.perf_counter() - started
        self.elapsed_s += time_s
        return Totals(1, result.loss, result.grad_norm, waited - started, time_s)

    def _log(self, interval: Totals) -> None:
        row = MetricsRow(
            step=self.done,
            epoch=self._epoch_and_step()[0],
            loss=interval.loss / interval.steps,
            grad_norm=interval.grad_norm / interval.steps,
            lr=self.step.learning_rate(self.done - 1),
            images_per_s=round(interval.steps * self.slice.global_batch_size / interval.time_s, 1),
            wait_share=round(interval.wait_s / interval.time_s, 4),
            elapsed_s=round(self.elapsed_s, 2),
        )
        self.run.append_metrics(row)
        self.report(row, self.num_steps)

    def _epoch_and_step(self) -> tuple[int, int]:
        """As in a checkpoint's name: epochs begun from 1, and steps done in the last of them."""
        epoch, step = divmod(max(self.done, 1) - 1, self.slice.num_steps)
        return epoch + 1, min(step + 1, self.done)

    def _save(self) -> None:
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
            weights_digest=weights_digest(self.step.weights),
        )
        folder = self.run.checkpoint_folder(self.config)
        self.checkpoint = str(save_checkpoint(folder, info, self.step.state(), self.config.keep_checkpoint_max))

    def _restore(self) -> None:
        newest = self.run.newest_checkpoint(self.config)
        if newest is not None:
            info = read_info(newest)
            _check_resumable(info, self.client.dataset, self.slice, newest)
            self.done = load_parameters(newest, self.step.state())
            self.elapsed_s, self.checkpoint = info.elapsed_s, str(newest)
        self.run.cut_metrics(self.done)


def _check_agreement(config: TrainerConfig, dataset: Dataset) -> None:
    spec = dataset.spec
    facts = {"max_captcha_digits": spec.max_length, "captcha_width": spec.width, "captcha_height": spec.height}
    for key, value in facts.items():
        if getattr(config, key) != value:
            raise UsageError(f"{key} is {getattr(config, key)} but the data set's is {value}; pass -o {key}={value}")
    if SPLIT not in dataset.counts:
        raise UsageError(f"the data set has no split {SPLIT!r}, only {', '.join(dataset.counts)}")


def _check_resumable(info: CheckpointInfo, dataset: Dataset, rank_slice: RankSlice, path: Path) -> None:
    for what, was, now in (
        ("fingerprint", info.fingerprint, dataset.fingerprint),
        ("train count", info.split_count, rank_slice.count),
        ("global_batch_size", info.global_batch_size, rank_slice.global_batch_size),
    ):
        if was != now:
            raise UsageError(
                f"cannot resume from {path}: its {what} is {was}, this run's is {now}; use the same data set"
            )
