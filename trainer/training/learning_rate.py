"""The learning rate as a function of the step: a linear rise, then one of two ways down."""

import math

import mindspore as ms
from mindspore import ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from shared.dataset.rank_slice import RankSlice
from trainer.config import TrainerConfig


class WarmupCosine(LearningRateSchedule):
    """Rises linearly from zero over `warmup_steps`, then falls to zero at `num_steps` along half a cosine.

    Loshchilov and Hutter, "SGDR" (ICLR 2017), without restarts.
    """

    def __init__(self, peak: float, warmup_steps: int, num_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = float(max(1, warmup_steps))
        self.cosine_steps = float(max(1, num_steps - warmup_steps))
        self.half_turn = math.pi

    def construct(self, global_step: ms.Tensor) -> ms.Tensor:
        """float32 scalar for the step about to be taken, counted from 0."""
        step = ops.cast(global_step, ms.float32)
        warm = (step + 1.0) / self.warmup_steps
        done = ops.clamp((step - self.warmup_steps) / self.cosine_steps, 0.0, 1.0)
        return self.peak * ops.minimum(warm, 0.5 * (1.0 + ops.cos(self.half_turn * done)))

    def at(self, step: int) -> float:
        """The same as a Python number, without the device."""
        done = min(max((step - self.warmup_steps) / self.cosine_steps, 0.0), 1.0)
        return self.peak * min((step + 1.0) / self.warmup_steps, 0.5 * (1.0 + math.cos(math.pi * done)))


class WarmupTenths(LearningRateSchedule):
    """Rises linearly from zero over `warmup_steps`; a tenth of itself from every `decay_epochs`th epoch on.

    Epochs are counted from 1, as published: with 10, epochs 1 to 9 have the full rate, 10 to 19 a tenth.
    """

    def __init__(self, peak: float, warmup_steps: int, decay_epochs: int, epoch_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = float(max(1, warmup_steps))
        self.epoch_steps, self.decay_steps = epoch_steps, decay_epochs * epoch_steps

    def construct(self, global_step: ms.Tensor) -> ms.Tensor:
        """float32 scalar for the step about to be taken, counted from 0."""
        tenths = ops.cast((global_step + self.epoch_steps) // self.decay_steps, ms.float32)
        warm = (ops.cast(global_step, ms.float32) + 1.0) / self.warmup_steps
        return self.peak * ops.minimum(warm, 1.0) * ops.pow(0.1, tenths)

    def at(self, step: int) -> float:
        """The same as a Python number, without the device."""
        tenths = (step + self.epoch_steps) // self.decay_steps
        return self.peak * min((step + 1.0) / self.warmup_steps, 1.0) * 0.1**tenths


def learning_rate(config: TrainerConfig, rank_slice: RankSlice, num_steps: int) -> WarmupCosine | WarmupTenths:
    """The schedule of a run of `num_steps` steps."""
    peak = config.learning_rate * (rank_slice.ranks if config.scale_learning_rate else 1)
    if config.decay_epochs is None:
        return WarmupCosine(peak, config.warmup_steps, num_steps)
    return WarmupTenths(peak, config.warmup_steps, config.decay_epochs, rank_slice.num_steps)
