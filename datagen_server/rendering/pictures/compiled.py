"""A picture drawn by the compiled kernels: every pixel is that of `PillowPicture`.

Note: importing this costs what Numba costs. The first picture of all compiles, which takes seconds; later processes
read the machine code from the disk.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen_server.rendering.noise import Dots
from datagen_server.rendering.pictures.core import core_of, image_of
from datagen_server.rendering.pictures.geometry import Color, Shape, Size, quad, rotation, size_of, visible_ink
from datagen_server.rendering.pictures.glyph_kernel import narrowed, paste, rotated
from datagen_server.rendering.pictures.ink import InkColors
from datagen_server.rendering.pictures.jit import Pixels
from datagen_server.rendering.pictures.smooth_kernel import finished


class CompiledPicture:
    """See `Picture`. It is one array, at which Pillow looks to draw curves and lines."""

    def __init__(self, size: Size, color: Color, strengths: bytes) -> None:
        self._canvas: Pixels = np.full(size[::-1], _packed(color), np.uint32)
        self._strengths = np.frombuffer(strengths, np.uint8)
        self._inks = InkColors()

    @property
    def image(self) -> Image.Image:
        """See `Picture`."""
        return image_of(core_of(self._canvas, "RGB"))

    def paste_glyph(self, place: Size, shape: Shape, color: Color) -> None:
        """See `Picture`."""
        ink = visible_ink(shape, color[3])
        if ink is None:
            return
        stretched, angle = shape.stretched_size, shape.angle % 360.0
        if angle % 90:
            size, matrix = rotation(size_of(ink), angle)
            glyph = rotated(ink, self._inks.premultiplied(color), size, matrix, size != stretched)
        else:
            ink = np.ascontiguousarray(np.rot90(ink, int(angle // 90)).T)
            colors = self._inks.opaque(color) if size_of(ink) == stretched[::-1] else self._inks.premultiplied(color)
            glyph = colors.take(ink)
        paste(self._canvas, glyph, stretched, quad(shape), (*place, *shape.size), self._strengths)

    def narrow(self, width: int) -> None:
        """See `Picture`."""
        self._canvas = narrowed(self._canvas, width)

    def finish(self, dots: Dots, places: NDArray[np.intp], color: Color) -> NDArray[np.uint8]:
        """See `Picture`."""
        return finished(self._canvas, places, dots.margin, _packed(color))


def _packed(color: Color) -> int:
    return color[0] | color[1] << 8 | color[2] << 16
