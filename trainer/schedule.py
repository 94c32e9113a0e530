"""The learning rate as a function of the step."""

import math

import mindspore as ms
from mindspore import ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule


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
        """The same for people, without the device."""
        done = min(max((step - self.warmup_steps) / self.cosine_steps, 0.0), 1.0)
        return self.peak * min((step + 1.0) / self.warmup_steps, 0.5 * (1.0 + math.cos(math.pi * done)))
