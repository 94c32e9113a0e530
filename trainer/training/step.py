"""One optimizer step, compiled whole: forward, CTC loss, backward, mean over the ranks, clip, update.

What surprises: gradients are averaged first and clipped then, by the norm of the average. So the step is the one that a
single rank would take with the same global batch. `clip_each_rank` asks for the published example's way round.
"""

from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from shared.recogniser.ctc_loss import CtcLoss
from shared.recogniser.device import Device, Signal
from shared.recogniser.features import resized_width
from shared.recogniser.network import CaptchaNetwork, NetworkSpec
from trainer.config import TrainerConfig
from trainer.distributed.collectives import MeanOverRanks, Ranks
from trainer.training.learning_rate import WarmupCosine, WarmupTenths, learning_rate

Gradients = tuple[ms.Tensor, ...]


@dataclass(frozen=True)
class StepResult:
    """What a step leaves besides the new weights."""

    loss: float
    "Mean CTC loss over the global batch, before the update."
    grad_norm: float
    "Global norm of the averaged gradients before clipping; with `clip_each_rank`, the mean of the ranks' own norms."
    stop: bool
    "Whether any rank wants to stop after this step."
    wait_s: NDArray[np.float32]
    "[ranks] seconds that each rank waited for this step's data."


class TrainStep(nn.Cell):
    """images uint8 [n, h, w, 3], labels int32 [n, max_length], notes float32 [1 + ranks] -> float32 [3 + ranks].

    Updates the weights. Notes are a rank's wish to stop and its own waiting time at its own place; the result is the
    gradient norm, then the means over all ranks of loss and notes.
    """

    def __init__(
        self,
        network: CaptchaNetwork,
        loss: CtcLoss,
        config: TrainerConfig,
        rate: WarmupCosine | WarmupTenths,
        device: Device,
        ranks: Ranks,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.loss, self.rate = network, loss, rate
        self.clip_norm, self.clip_each_rank = config.clip_norm, config.clip_each_rank
        self.add_up = config.loss_reduction == "sum"
        self.weights = ms.ParameterTuple(network.trainable_params())
        self.optimizer = _optimizer(config, self.weights, rate)
        self.gradient = ms.value_and_grad(self._forward, None, self.weights)
        self.ranks = ranks
        self.mean = MeanOverRanks(ranks.ranks, [tuple(weight.shape) for weight in self.weights])
        self.signal = Signal(device)

    @ms.jit
    def construct(self, images: ms.Tensor, labels: ms.Tensor, notes: ms.Tensor) -> ms.Tensor:
        """See the class."""
        loss, grads = self.gradient(images, labels)
        if self.clip_each_rank:
            grads, norm = self._clip(grads)
            grads, notes = self.mean(grads, ops.concat((norm.reshape(1), loss.reshape(1), notes)))
        else:
            grads, notes = self.mean(grads, ops.concat((loss.reshape(1), notes)))
            grads, norm = self._clip(grads)
            notes = ops.concat((norm.reshape(1), notes))
        return self.signal(ops.depend(notes, self.optimizer(grads)))

    def run(self, images: ms.Tensor, labels: ms.Tensor, *, stop: bool, wait_s: float) -> StepResult:
        """Takes the step and sleeps until it is done."""
        notes = np.zeros(1 + self.ranks.ranks, np.float32)
        notes[0], notes[1 + self.ranks.rank] = stop, wait_s
        norm, loss, stops, *waits = self.signal.run(self, images, labels, ms.Tensor(notes))
        return StepResult(
            loss=float(loss) / (len(images) if self.add_up else 1),
            grad_norm=float(norm),
            stop=bool(stops > 0),
            wait_s=np.array(waits, np.float32) * self.ranks.ranks,
        )

    def learning_rate(self, global_step: int) -> float:
        """Of the step after `global_step` steps."""
        return self.rate.at(global_step)

    def state(self) -> list[ms.Parameter]:
        """Everything that the next step depends on: weights, moments and the step count."""
        named = {parameter.name: parameter for parameter in (*self.weights, *self.optimizer.get_parameters())}
        return list(named.values())

    def _forward(self, images: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        losses = self.loss(self.network(images), labels)
        return losses.sum() if self.add_up else losses.mean()

    def _clip(self, grads: Gradients) -> tuple[Gradients, ms.Tensor]:
        """The gradients, scaled down to `clip_norm` where they are larger, and the global norm that they had."""
        squares = ops.stack([ops.reduce_sum(ops.square(grad)) for grad in grads])
        norm = ops.sqrt(ops.reduce_sum(squares))
        scale = self.clip_norm / ops.maximum(norm, self.clip_norm)
        return tuple([grad * scale for grad in grads]), norm


def _optimizer(
    config: TrainerConfig, weights: ms.ParameterTuple, rate: WarmupCosine | WarmupTenths
) -> nn.Adam | nn.SGD:
    if config.optimizer == "sgd":
        return nn.SGD(weights, rate, momentum=config.momentum)
    return nn.Adam(weights, rate, beta1=config.momentum)


def build_step(
    config: TrainerConfig, spec: DatasetSpec, rank_slice: RankSlice, num_steps: int, device: Device, ranks: Ranks
) -> TrainStep:
    """The network of `config` for the images of `spec`, with its initial weights, ready to take steps."""
    # nn.LSTM initialises from NumPy's global state: without this, ranks would start with different weights.
    ms.set_seed(config.seed)
    with_convolutions = config.features == "convolution"
    shape = NetworkSpec(
        height=spec.height,
        width=spec.width,
        num_classes=spec.num_classes,
        hidden_size=config.hidden_size,
        columns_per_frame=config.columns_per_frame,
        second_layer=config.second_layer,
        pixels=config.pixels,
        initial_weights=config.initial_weights,
        resized_width=resized_width(spec.width, spec.height, spec.max_length) if with_convolutions else None,
    )
    network, loss = CaptchaNetwork(shape), CtcLoss(shape.num_frames, rank_slice.batch_size, spec.max_length)
    return TrainStep(network, loss, config, learning_rate(config, rank_slice, num_steps), device, ranks)
