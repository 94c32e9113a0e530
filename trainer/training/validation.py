"""Validation: how much of the split `valid` the network of a running training reads. The test split is for the end.

Note: it changes no bit of the training. On the CPU it reads the same weights through onnxruntime as an evaluation does,
elsewhere through a compiled function of its own; it draws no random number, and its samples come by a stream of their
own. All ranks share the split, and all learn the result.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

from shared.client import BatchStream, DatasetClient
from shared.dataset.rank_slice import Remainder
from shared.errors import UsageError
from shared.protocol.batch import text_of
from shared.recogniser import onnx
from shared.recogniser.ctc.ctc_decoding import collapse
from shared.recogniser.device import Signal
from shared.recogniser.device_name import Device
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.onnx.metadata import OnnxMetadata
from shared.recogniser.predictor import NETWORK_BATCH_SIZE
from trainer.config import TrainerConfig
from trainer.distributed.collectives import sum_over_ranks
from trainer.distributed.world import World

SPLIT = "valid"


@dataclass(frozen=True)
class ValidationResult:
    """Over all ranks."""

    correct: int
    "Samples whose text was read without a fault."
    samples: int

    @property
    def accuracy(self) -> float:
        """Exact match, 0..1."""
        return self.correct / self.samples


class Validator:
    """Reads the first `max_samples` of the split `valid` with the weights that `network` has at the time."""

    def __init__(
        self, network: CaptchaNetwork, client: DatasetClient, device: Device, world: World, max_samples: int
    ) -> None:
        self._client, self._world = client, world
        self._num_samples = min(max_samples, client.dataset.counts[SPLIT])
        self._network, self._on_device = network, None if device == "cpu" else BestPath(network, device)
        self._prepared: BatchStream | None = None

    def prepare(self) -> None:
        """Asks for the samples of the next `run`, so that they are rendered meanwhile."""
        if self._prepared is None:
            self._prepared = self._batches()

    def close(self) -> None:
        """Gives up samples that nobody will read."""
        if self._prepared is not None:
            self._prepared.close()

    def run(self) -> ValidationResult:
        """Raises whatever keeps the samples from coming; every rank must call it, after the same step."""
        alphabet, correct, samples = self._client.dataset.spec.alphabet, 0, 0
        best_path = self._on_device.run if self._on_device is not None else self._on_cpu()
        with self._prepared or self._batches() as batches:
            self._prepared = None
            for batch in batches:
                num = int((batch.indices < self._num_samples).sum())
                if num:
                    truths = [text_of(label, alphabet) for label in batch.labels[:num]]
                    texts = collapse(best_path(batch.images[:num]), alphabet)
                    correct += sum(text == truth for text, truth in zip(texts, truths, strict=True))
                    samples += num
        return ValidationResult(*sum_over_ranks(self._world, [correct, samples]))

    def _on_cpu(self) -> Callable[[NDArray[np.uint8]], NDArray[np.int64]]:
        """What `BestPath.run` does, with the weights of this moment; nothing has to be compiled."""
        spec, dataset = self._network.spec, self._client.dataset.spec
        metadata = OnnxMetadata(
            alphabet=dataset.alphabet, width=spec.width, height=spec.height, max_length=dataset.max_length
        )
        weights = {weight.name: weight.asnumpy() for weight in self._network.trainable_params()}
        # Only now are onnx and onnxruntime imported: the first step does not wait for them.
        predictor = onnx.OnnxPredictor(onnx.build_onnx(spec, weights, metadata).SerializeToString())
        return lambda images: predictor.logits(images).argmax(axis=2)

    def _batches(self) -> BatchStream:
        """This rank's share, in the order of the split; the last batch may hold more than is asked for."""
        global_batch_size = NETWORK_BATCH_SIZE * self._world.ranks
        return self._client.stream(
            SPLIT,
            shuffle=False,
            global_batch_size=global_batch_size,
            num_steps=-(-self._num_samples // global_batch_size),
            rank=self._world.rank,
            ranks=self._world.ranks,
            remainder=Remainder.PAD,
        )


@dataclass(frozen=True, kw_only=True)
class ValidationHistory:
    """What is kept of a run's validations; part of every checkpoint, so that a resumed run stops at the same step."""

    best_step: int | None = None
    "Steps done when accuracy was highest, for the first time; None before the first validation."
    best_accuracy: float | None = None
    last_step: int = 0
    last_accuracy: float | None = None
    num_since_best: int = 0
    "Validations after the best one."

    def after(self, step: int, accuracy: float) -> Self:
        """With the validation after `step` steps."""
        latest = replace(self, last_step=step, last_accuracy=accuracy, num_since_best=self.num_since_best + 1)
        if self.best_accuracy is None or accuracy > self.best_accuracy:
            return replace(latest, best_step=step, best_accuracy=accuracy, num_since_best=0)
        return latest

    def is_exhausted(self, patience: int | None) -> bool:
        """Whether `patience` validations in a row were not better than the best; never when it is None."""
        return patience is not None and self.num_since_best >= patience


class RunValidation:
    """The validations of a run: when they are due, how they went, and whether they end the run."""

    def __init__(self, validator: Validator | None, config: TrainerConfig, num_steps: int) -> None:
        self._validator, self._num_steps = validator, num_steps
        self._every, self._patience = config.validate_steps, config.early_stop_patience
        self.history = ValidationHistory()

    @property
    def stopped_early(self) -> bool:
        """Whether the run ends because validations did not get better; the same on all ranks."""
        return self.history.is_exhausted(self._patience)

    def before_step(self, step: int) -> None:
        """Lets the samples come during step number `step` where a validation is due after it."""
        if self._validator is not None and self._is_due(step):
            self._validator.prepare()

    def after_step(self, step: int) -> float | None:
        """The accuracy after `step` steps, where a validation is due then."""
        if self._validator is None or not self._is_due(step):
            return None
        accuracy = self._validator.run().accuracy
        self.history = self.history.after(step, accuracy)
        return accuracy

    def close(self) -> None:
        """Ends what `before_step` began."""
        if self._validator is not None:
            self._validator.close()

    def _is_due(self, step: int) -> bool:
        return self._every is not None and (step % self._every == 0 or step == self._num_steps)


def build_validator(
    config: TrainerConfig, network: CaptchaNetwork, client: DatasetClient, device: Device, world: World
) -> Validator | None:
    """None when the configuration asks for no validation, or the data set has no split for it.

    Raises `UsageError` when validations that do not happen should end the run.
    """
    if config.validate_steps is not None and SPLIT in client.dataset.counts:
        return Validator(network, client, device, world, config.validate_samples)
    if config.early_stop_patience is not None:
        lack = "validate_steps is null" if config.validate_steps is None else f"the data set has no split {SPLIT!r}"
        raise UsageError(f"early_stop_patience needs validations, but {lack}; leave it out or change that")
    return None


class BestPath(nn.Cell):
    """images uint8 [n, h, w, 3] -> the likeliest class of each frame, [frames * n]."""

    def __init__(self, network: CaptchaNetwork, device: Device) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.signal = network, Signal(device)
        self.num_frames = network.spec.num_frames

    @ms.jit
    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        path = ops.cast(self.network(images), ms.float32).argmax(axis=2)
        return self.signal(ops.cast(path, ms.float32).reshape(-1))

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """int64 [frames, n] for 1..NETWORK_BATCH_SIZE images."""
        # One shape is compiled once: a shorter batch is filled up.
        missing = NETWORK_BATCH_SIZE - len(images)
        filled = np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images
        flat = self.signal.run(self, ms.Tensor(filled))
        return flat.reshape(self.num_frames, NETWORK_BATCH_SIZE)[:, : len(images)].astype(np.int64)
