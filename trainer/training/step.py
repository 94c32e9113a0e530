"""One optimizer step, compiled whole: forward, CTC loss, backward, mean over the ranks, clip, update.

Note: gradients are first averaged, then clipped by the norm of the average. So the step is the one that a single rank
would take with the same global batch. `clip_each_rank` is the published example's order: clipped, then averaged.
"""

from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from shared.recogniser.ctc.ctc_frames import check_longest_label
from shared.recogniser.ctc.ctc_loss import CtcLoss
from shared.recogniser.device import Signal
from shared.recogniser.device_name import Device
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec, resized_width
from trainer.config import TrainerConfig
from trainer.distributed.collectives import MeanOverRanks
from trainer.distributed.world import World
from trainer.training.initial_weights import unfrozen
from trainer.training.learning_rate import WarmupCosine, WarmupTenths, learning_rate

Gradients = tuple[ms.Tensor, ...]


@dataclass(frozen=True)
class StepResult:
    """What a step gives besides the new weights."""

    loss: float
    "Mean CTC loss over the global batch, before the update."
    grad_norm: float
    "Global norm of the averaged gradients before clipping; with `clip_each_rank`, the mean of the ranks' own norms."
    stop: bool
    "Whether any rank wants to stop after this step."
    wait_s: NDArray[np.float32]
    "[ranks] seconds that each rank waited for this step's data."


class TrainStep(nn.Cell):
    """images uint8 [n, h, w, 3], labels int32 [n, max_length], statistics float32 [1 + ranks] -> float32 [3 + ranks].

    Updates the weights. Statistics of a rank: whether it wants to stop, then its wait for data in seconds at the place
    of its rank, zeros elsewhere. The result is the gradient norm, then the means over all ranks of loss and statistics.
    """

    def __init__(
        self,
        network: CaptchaNetwork,
        loss: CtcLoss,
        config: TrainerConfig,
        rate: WarmupCosine | WarmupTenths,
        device: Device,
        world: World,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.loss, self.rate = network, loss, rate
        self.clip_norm, self.clip_each_rank = config.clip_norm, config.clip_each_rank
        self.add_up = config.loss_reduction == "sum"
        self.weights = ms.ParameterTuple(network.trainable_params())
        trained = ms.ParameterTuple(unfrozen(self.weights, config.freeze))
        self.optimizer = _optimizer(config, trained, rate)
        self.gradient = ms.value_and_grad(self._forward, None, trained)
        self.world = world
        self.mean = MeanOverRanks(world.ranks, [tuple(weight.shape) for weight in trained])
        self.signal = Signal(device)

    @ms.jit
    def construct(self, images: ms.Tensor, labels: ms.Tensor, statistics: ms.Tensor) -> ms.Tensor:
        """See the class."""
        loss, grads = self.gradient(images, labels)
        if self.clip_each_rank:
            grads, norm = self._clip(grads)
            grads, statistics = self.mean(grads, ops.concat((norm.reshape(1), loss.reshape(1), statistics)))
        else:
            grads, statistics = self.mean(grads, ops.concat((loss.reshape(1), statistics)))
            grads, norm = self._clip(grads)
            statistics = ops.concat((norm.reshape(1), statistics))
        return self.signal(ops.depend(statistics, self.optimizer(grads)))

    def run(self, images: ms.Tensor, labels: ms.Tensor, *, stop: bool, wait_s: float) -> StepResult:
        """Takes the step; the Python thread sleeps until it is done."""
        statistics = np.zeros(1 + self.world.ranks, np.float32)
        statistics[0], statistics[1 + self.world.rank] = stop, wait_s
        norm, loss, stops, *waits = self.signal.run(self, images, labels, ms.Tensor(statistics))
        return StepResult(
            loss=float(loss) / (len(images) if self.add_up else 1),
            grad_norm=float(norm),
            stop=bool(stops > 0),
            wait_s=np.array(waits, np.float32) * self.world.ranks,
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
    return nn.Adam(weights, rate, beta1=config.momentum, beta2=config.beta2)


def build_step(
    config: TrainerConfig, spec: DatasetSpec, rank_slice: RankSlice, num_steps: int, device: Device, world: World
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
    check_longest_label(spec, shape.num_frames, shape.how_to_get_more_frames)
    network, loss = CaptchaNetwork(shape), CtcLoss(shape.num_frames, rank_slice.batch_size, spec.max_length)
    return TrainStep(network, loss, config, learning_rate(config, rank_slice, num_steps), device, world)
