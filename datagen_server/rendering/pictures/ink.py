"""The colour behind each strength of ink, as pixels of Pillow: red, green, blue, alpha, from the lowest byte up."""

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.pictures.geometry import Color

_LEVELS = np.arange(256)
_PRODUCTS = ((2 * np.outer(_LEVELS, _LEVELS) + 255) // 510).astype(np.uint8)
"a * b / 255 as Pillow rounds it, for all levels a and b."


class InkColors:
    """Remembers its last colour: most pictures have one."""

    def __init__(self) -> None:
        self._color: Color | None = None

    def premultiplied(self, color: Color) -> NDArray[np.uint32]:
        """[256]: the pixel, mode RGBa, behind each strength of ink; `color`: red, green, blue, opacity."""
        if color != self._color:
            alpha = _PRODUCTS[color[3]]
            pixels = np.empty((256, 4), np.uint8)
            for channel in range(3):
                pixels[:, channel] = _PRODUCTS[color[channel]].take(alpha)
            pixels[:, 3] = alpha
            self._color, self._pixels = color, pixels.view(np.uint32)[:, 0]
        return self._pixels

    def opaque(self, color: Color) -> NDArray[np.uint32]:
        """[256]: the colour wherever there is any ink."""
        pixels = np.full((256, 4), (*color[:3], 255), np.uint8)
        pixels[0] = 0
        return pixels.view(np.uint32)[:, 0]
