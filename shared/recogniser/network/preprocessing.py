"""What the network sees of an image: its ink, or its colours as published. Normalised here, on the device, so that
images travel as uint8.

Both cells multiply each row of pixels by a banded matrix: summing over, or turning round, an axis of 3 is slow.
"""

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from shared.recogniser.network.constants import DEVIATIONS, LUMA, MASK_GAIN, MEANS


class Ink(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [n, height, width]: how much ink a pixel holds, alike in every image.

    A captcha is drawn in one colour on one ground, so its own lightest and darkest pixels are the scale. The darkest
    are dots and curve, drawn at full strength; digits are pasted through a mask of their luma, so the digits of dark
    captchas are paler than their dots. Dividing by that known strength makes all digits alike; what is darker than a
    digit is noise and is cut. (Cutting at twice a digit's strength left 79 errors where cutting at it left 24.)

    The ground must not be zero: with ground 0 a thousand steps reached 21%, with -0.6 four hundred reached 98%.
    """

    channels = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.luma = ms.Tensor(np.kron(np.eye(width), np.reshape(LUMA, (3, 1))), ms.float32)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        num, height, width, _ = images.shape
        rows = ops.cast(images.reshape(num * height, width * 3), ms.float32)
        luma = ops.matmul(rows, self.luma).reshape(num, height * width)
        light, dark = luma.max(axis=1, keepdims=True), luma.min(axis=1, keepdims=True)
        strength = ops.clamp(dark * MASK_GAIN, 0.04, 1.0)
        ink = ops.clamp((light - luma) / ((light - dark + 1.0) * strength), 0.0, 1.0)
        return ((ink - 0.15) * 4.0).reshape(num, height, width)


class Colour(nn.Cell):
    """uint8 [n, height, width, 3] -> float32 [n, height, width * 3]: blue, green and red of a pixel, in that order.

    Scaled to 0..1, then normalised with the published example's means and deviations.
    """

    channels = 3

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = ms.Tensor(np.kron(np.eye(width), np.eye(3)[::-1] / (255.0 * DEVIATIONS)), ms.float32)
        self.shift = ms.Tensor(np.tile(-MEANS / DEVIATIONS, width), ms.float32)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        num, height, width, _ = images.shape
        rows = ops.cast(images.reshape(num * height, width * 3), ms.float32)
        return (ops.matmul(rows, self.scale) + self.shift).reshape(num, height, width * 3)
