"""A picture in progress, drawn by the compiled kernel: every pixel is that of `PillowPicture`."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen_server.rendering import kernel
from datagen_server.rendering.core import core_of, image_of
from datagen_server.rendering.geometry import Color, Shape, Size, quad, rotation, visible_ink
from datagen_server.rendering.noise import Dots

_UNROTATED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class CompiledPicture:
    """See `Picture`. It is one array, at which Pillow looks to draw curves and lines."""

    def __init__(self, size: Size, color: Color, strengths: bytes) -> None:
        red, green, blue = color
        self._canvas: kernel.Pixels = np.full(size[::-1], red | green << 8 | blue << 16, np.uint32)
        self._strengths = np.frombuffer(strengths, np.uint8)

    @property
    def image(self) -> Image.Image:
        """See `Picture`."""
        return image_of(core_of(self._canvas, "RGB"))

    def paste_glyph(self, place: Size, shape: Shape, color: Color) -> None:
        """See `Picture`."""
        ink = visible_ink(shape, color[3])
        if ink is None:
            return
        turns, rest = divmod(shape.angle % 360.0, 90)
        if rest:
            size, matrix = rotation(ink.shape[::-1], shape.angle % 360.0)
        else:
            ink, matrix = np.ascontiguousarray(np.rot90(ink, int(turns))), _UNROTATED
            size = ink.shape[::-1]
        kernel.paste_glyph(
            self._canvas,
            ink,
            color,
            size,
            bool(rest),
            matrix,
            shape.stretched_size,
            quad(shape),
            (*place, *shape.size),
            self._strengths,
        )

    def narrow(self, width: int) -> None:
        """See `Picture`."""
        self._canvas = kernel.narrowed(self._canvas, width)

    def finish(self, dots: Dots, places: NDArray[np.intp], color: Color) -> NDArray[np.uint8]:
        """See `Picture`."""
        pixels: NDArray[np.uint8] = kernel.finished(self._canvas, places, dots.margin, color)
        return pixels
