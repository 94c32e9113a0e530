"""A picture in progress, drawn with Pillow's core and NumPy alone.

The same arithmetic as the captcha library's calls of Pillow, pixel for pixel, in half the time or less:

- colours stay premultiplied by their alpha (mode RGBa) from the ink to the warp, where `rotate`, `resize` and
  `transform` each convert forth and back. Only the conversion between rotation and resizing stays: it rounds, so it
  shows;
- Pillow's core is called directly.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, _imaging
from PIL.Image import Resampling, Transform

from datagen_server.rendering.noise import Dots, smooth
from datagen_server.rendering.pictures.core import core_of
from datagen_server.rendering.pictures.geometry import Color, Shape, Size, quad, rotation, size_of, visible_ink
from datagen_server.rendering.pictures.ink import InkColors


class PillowPicture:
    """See `Picture`."""

    def __init__(self, size: Size, color: Color, strengths: bytes) -> None:
        self.image = Image.new("RGB", size, color)
        self._strengths = list(strengths)
        self._inks = InkColors()

    def paste_glyph(self, place: Size, shape: Shape, color: Color) -> None:
        """See `Picture`."""
        ink = visible_ink(shape, color[3])
        if ink is None:
            return
        glyph = _warp(shape, ink, color, self._inks)
        # The mask is the brightened luminance of the colour, not its alpha.
        mask = glyph.convert("L").point(self._strengths, "L")
        (left, top), (width, height) = place, shape.size
        self.image.im.paste(glyph, (left, top, left + width, top + height), mask)

    def narrow(self, width: int) -> None:
        """See `Picture`."""
        self.image = self.image.resize((width, self.image.height))

    def finish(self, dots: Dots, places: NDArray[np.intp], color: Color) -> NDArray[np.uint8]:
        """See `Picture`."""
        (width, height), margin = self.image.size, dots.margin
        canvas = np.zeros((height + 2 * margin, width + 2 * margin, 3), np.uint16)
        inner = canvas[margin:-margin, margin:-margin]
        inner[:] = np.asarray(self.image)
        canvas.reshape(-1, 3)[places] = color[:3]
        return smooth(inner)


def _warp(shape: Shape, ink: NDArray[np.uint8], color: Color, inks: InkColors) -> Any:
    """The glyph as an RGBA core image of `shape.size`."""
    size, stretched = shape.size, shape.stretched_size
    glyph = _rotate(ink, shape.angle, color, inks)
    unresized = glyph.size == stretched  # Then Pillow's resize is a copy, without a conversion that rounds.
    if not unresized:
        glyph = glyph.convert("RGBa").resize(stretched, Resampling.BICUBIC, (0, 0, *glyph.size))
    warped = _imaging.fill(glyph.mode, size, 0)
    warped.transform((0, 0, *size), glyph, Transform.QUAD, quad(shape), Resampling.NEAREST, 1)
    return warped if unresized else warped.convert("RGBA")


def _rotate(ink: NDArray[np.uint8], angle: float, color: Color, inks: InkColors) -> Any:
    """`Image.rotate(angle, BILINEAR, expand=True)` of the coloured ink: an RGBA core image."""
    size = size_of(ink)
    angle %= 360.0
    if angle % 90 == 0:  # Pillow turns these without arithmetic.
        glyph = _imaging.fill("RGBA", size, 0)
        glyph.paste(color, (0, 0, *size), core_of(ink, "L"))
        return glyph.transpose(_TURNS[int(angle)]) if angle else glyph
    rotated_size, matrix = rotation(size, angle)
    glyph = core_of(inks.premultiplied(color).take(ink), "RGBa")
    rotated = _imaging.fill("RGBa", rotated_size, 0)
    rotated.transform((0, 0, *rotated_size), glyph, Transform.AFFINE, matrix, Resampling.BILINEAR, 1)
    return rotated.convert("RGBA")


_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
