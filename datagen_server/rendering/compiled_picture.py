"""A picture in progress, drawn by the compiled kernel: every pixel is that of `PillowPicture`."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen_server.rendering import kernel
from datagen_server.rendering.core import core_of, image_of
from datagen_server.rendering.geometry import Color, Shape, Size, quad, rotation, visible_ink
from datagen_server.rendering.noise import Dots

_UNROTATED = np.empty(0)


class CompiledPicture:
    """See `Picture`. It is one array, [height, width, 4], at which Pillow looks to draw curves and lines."""

    def __init__(self, ground: Image.Image, lookup_table: list[int]) -> None:
        self._canvas = np.empty((ground.height, ground.width, 4), np.uint8)
        self.image.im.paste(ground.im, (0, 0, *ground.size))
        self._table = np.minimum(lookup_table, 255).astype(np.uint8)

    @property
    def image(self) -> Image.Image:
        """See `Picture`."""
        return image_of(core_of(self._canvas.view(np.uint32)[:, :, 0], "RGB"))

    def paste_glyph(self, place: Size, shape: Shape, color: Color) -> None:
        """See `Picture`."""
        ink = visible_ink(shape, color[3])
        if ink is None:
            return
        turns, rest = divmod(shape.angle % 360.0, 90)
        if rest:
            size, matrix = rotation(ink.shape[::-1], shape.angle % 360.0)
            coefficients = np.array(matrix)
        else:
            ink, coefficients = np.ascontiguousarray(np.rot90(ink, int(turns))), _UNROTATED
            size = ink.shape[::-1]
        kernel.paste_glyph(
            self._canvas,
            ink,
            np.array(color, np.int32),
            size,
            coefficients,
            shape.stretched_size,
            np.array(quad(shape)),
            (*place, *shape.size),
            self._table,
        )

    def narrow(self, width: int) -> None:
        """See `Picture`."""
        self._canvas = kernel.narrowed(self._canvas, width)

    def finish(self, dots: Dots, places: NDArray[np.intp], color: Color) -> NDArray[np.uint8]:
        """See `Picture`."""
        pixels: NDArray[np.uint8] = kernel.finished(self._canvas, places, dots.margin, np.array(color, np.int32))
        return pixels
