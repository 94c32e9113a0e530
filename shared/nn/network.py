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
from mindspore.common.initializer import Orthogonal, Uniform, XavierUniform, initializer
from numpy.typing import NDArray

from shared.errors import UsageError

# ITU-R BT.601 luma, which the captcha library's renderer weighs colours by (Pillow's conversion to "L").
_LUMA = (0.299, 0.587, 0.114)
# It pastes digits through a mask of 1.97 times their luma: dark digits come out pale.
_MASK_GAIN = 1.97 / 255.0


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


class Ink(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [n, height, width]: how much ink a pixel holds, alike in every image.

    A captcha is drawn in one colour on one ground, so its own lightest and darkest pixels are the scale. The darkest
    are dots and curve, drawn at full strength; digits are pasted through a mask of their luma, so the digits of dark
    captchas are paler than their dots. Dividing by that known strength makes all digits alike; what is darker than a
    digit is noise and is cut. (Cutting at twice a digit's strength left 79 errors where cutting at it left 24.)

    The ground must not be zero: with ground 0 a thousand steps reached 21%, with -0.6 four hundred reached 98%.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # One product with a banded matrix takes the luma of a row of pixels; summing over an axis of 3 is slow.
        self.luma = ms.Tensor(np.kron(np.eye(width), np.reshape(_LUMA, (3, 1))), ms.float32)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        num, height, width, _ = images.shape
        rows = ops.cast(images.reshape(num * height, width * 3), ms.float32)
        luma = ops.matmul(rows, self.luma).reshape(num, height * width)
        light, dark = luma.max(axis=1, keepdims=True), luma.min(axis=1, keepdims=True)
        strength = ops.clamp(dark * _MASK_GAIN, 0.04, 1.0)
        ink = ops.clamp((light - luma) / ((light - dark + 1.0) * strength), 0.0, 1.0)
        return ((ink - 0.15) * 4.0).reshape(num, height, width)


class CaptchaNetwork(nn.Cell):
    """uint8 [n, height, width, 3] -> logits float32 [num_frames, n, num_classes]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.ink = Ink(spec.width)
        self.first = _lstm("first", spec.height * spec.columns_per_frame, spec.hidden_size)
        self.second = _lstm("second", spec.hidden_size, spec.hidden_size)
        self.classify = nn.Dense(spec.hidden_size, spec.num_classes, weight_init=Uniform(spec.hidden_size**-0.5))
        self.backward = spec.second_layer == "backward"

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        hidden, _ = self.first(self._frames(self.ink(images)))
        if not self.backward:
            return self.classify(self.second(hidden)[0])
        hidden, _ = self.second(ops.flip(hidden, (0,)))
        return ops.flip(self.classify(hidden), (0,))

    def _frames(self, ink: ms.Tensor) -> ms.Tensor:
        """[n, height, width] -> [num_frames, n, height * columns_per_frame], each frame row by row."""
        num, spec = ink.shape[0], self.spec
        blocks = ink.reshape(num, spec.height, spec.num_frames, spec.columns_per_frame).transpose(2, 0, 1, 3)
        return blocks.reshape(spec.num_frames, num, spec.height * spec.columns_per_frame)


def _lstm(name: str, input_size: int, hidden_size: int) -> nn.LSTM:
    """A layer with orthogonal recurrent weights (Saxe et al., ICLR 2014), Glorot input weights (AISTATS 2010) and a
    forget bias of one (Jozefowicz et al., ICML 2015); MindSpore's own default is uniform."""
    layer = nn.LSTM(input_size, hidden_size)
    square, wide = (hidden_size, hidden_size), (hidden_size, input_size)
    for parameter in layer.get_parameters():
        if "weight" in parameter.name:
            of_gate = (Orthogonal(), square) if "hh" in parameter.name else (XavierUniform(), wide)
            values = np.concatenate([_drawn(*of_gate) for _ in range(4)])
        else:
            values = np.zeros(parameter.shape, np.float32)
            if "ih" in parameter.name:
                values[hidden_size : 2 * hidden_size] = 1.0  # gates are stored as input, forget, cell, output
        parameter.set_data(ms.Tensor(values))
        # Two LSTM layers of one network have parameters of the same names otherwise.
        parameter.name = f"{name}.{parameter.name}"
    return layer


def _drawn(how: XavierUniform | Orthogonal, shape: tuple[int, int]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = initializer(how, shape, ms.float32).init_data().asnumpy()
    return values
