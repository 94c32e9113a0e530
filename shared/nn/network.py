"""The recogniser: image columns as time steps -> stacked LSTM -> fully connected layer -> logits for CTC.

The stacked LSTM and its CTC head follow Graves et al., "Connectionist temporal classification" (ICML 2006). What
surprises: the second layer may read right to left. It then knows what comes after a digit as well as what comes before,
at the cost of two reversals instead of a bidirectional layer's doubled work.
"""

from dataclasses import dataclass
from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from shared.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The shape of a network. Checks itself; raises `UsageError`."""

    height: int
    width: int
    num_classes: int
    "Characters and the blank, which is the last class."
    hidden_size: int = 256
    "Units of each LSTM layer."
    columns_per_frame: int = 4
    "Image columns read in one time step."
    normalisation: Literal["contrast"] = "contrast"
    "What becomes of the pixels first; see `Contrast`."
    second_layer: Literal["forward", "backward"] = "backward"
    "The direction in which the second LSTM layer reads."

    def __post_init__(self) -> None:
        if self.width % self.columns_per_frame:
            problem = f"must divide the image width ({self.width}), got {self.columns_per_frame}"
            raise UsageError(f"columns_per_frame {problem}")

    @property
    def num_frames(self) -> int:
        """Time steps."""
        return self.width // self.columns_per_frame


class Contrast(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [n, height, width]: 0 is the ground, 1 the darkest stroke of the image.

    The generator draws one colour on one ground. Stretching each image to its own range makes pale captchas as easy as
    strong ones.
    """

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        grey = ops.cast(images, ms.float32).sum(axis=3)
        light = grey.max(axis=(1, 2), keepdims=True)
        dark = grey.min(axis=(1, 2), keepdims=True)
        return (light - grey) / (light - dark + 1.0)


class CaptchaNetwork(nn.Cell):
    """uint8 [n, height, width, 3] -> logits float32 [num_frames, n, num_classes]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        frame_size = spec.height * spec.columns_per_frame
        self.normalise = Contrast()
        self.first = nn.LSTM(frame_size, spec.hidden_size)
        self.second = nn.LSTM(spec.hidden_size, spec.hidden_size)
        self.classify = nn.Dense(spec.hidden_size, spec.num_classes)
        self.backward = spec.second_layer == "backward"
        self.update_parameters_name("warpctc.")

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        hidden, _ = self.first(self._frames(self.normalise(images)))
        if self.backward:
            hidden, _ = self.second(ops.flip(hidden, (0,)))
            hidden = ops.flip(hidden, (0,))
        else:
            hidden, _ = self.second(hidden)
        return self.classify(hidden)

    def _frames(self, grey: ms.Tensor) -> ms.Tensor:
        """[n, height, width] -> [num_frames, n, frame_size], each frame its columns one after the other."""
        num, frames, columns = grey.shape[0], self.spec.num_frames, self.spec.columns_per_frame
        blocks = grey.reshape(num, self.spec.height, frames, columns).transpose(2, 0, 3, 1)
        return blocks.reshape(frames, num, -1)


def num_parameters(network: nn.Cell) -> int:
    """Trainable numbers in the network."""
    return sum(int(np.prod(parameter.shape)) for parameter in network.trainable_params())
