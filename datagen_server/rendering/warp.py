"""A glyph coloured, rotated, resized, warped and pasted: nearly all that a picture costs.

The same arithmetic as the captcha library's calls of Pillow, pixel for pixel, in less than half the time:

- colours stay premultiplied by their alpha (mode RGBa) from rotation to warp, where `rotate`, `resize` and `transform`
  each convert forth and back. Only the conversion between rotation and resizing stays: it rounds, so it shows;
- Pillow's core is called directly. For pictures as small as these, its Python layer costs as much as the arithmetic.

Note: the core (`PIL._imaging`, `image.im`) is no public interface. The laws that compare with the library and
the probe samples in every fingerprint, notice a Pillow that changes it.
"""

import math
from typing import Any, NamedTuple

from PIL import Image, _imaging
from PIL.Image import Resampling, Transform

_OPAQUE_ENOUGH = 128
"From this opacity on, whatever has ink has some after it is coloured."
_Color = tuple[int, ...]
_Size = tuple[int, int]


class Shape(NamedTuple):
    """A character with everything the draws decide about it."""

    size: _Size
    ink: Image.Image | None
    angle: float
    "Degrees, counter-clockwise."
    shifts: tuple[int, ...]
    "Pixels by which the corners move: x1, y1, x2, y2."


def paste_glyph(image: Image.Image, place: _Size, shape: Shape, color: _Color, lookup_table: list[int]) -> None:
    """Pastes the coloured glyph, warped to `shape.size`, onto an RGB image; `color`: red, green, blue, opacity."""
    if shape.ink is None or (glyph := _warp(shape, shape.ink, color)) is None:
        return
    # The mask is the brightened luminance of the colour, not its alpha.
    mask = glyph.convert("L").point(lookup_table, "L")
    (left, top), (width, height) = place, shape.size
    image.im.paste(glyph, (left, top, left + width, top + height), mask)


def _warp(shape: Shape, ink: Image.Image, color: _Color) -> Any:
    """The glyph as an RGBA core image of `shape.size`; None when it is too faint to have a pixel."""
    width, height = shape.size
    x1, y1, x2, y2 = shape.shifts
    wide, high = width + abs(x1) + abs(x2), height + abs(y1) + abs(y2)
    glyph = _imaging.fill("RGBA", ink.size, 0)
    glyph.paste(color, (0, 0, *ink.size), ink.im)
    if color[3] < _OPAQUE_ENOUGH:
        if (box := glyph.getbbox(True)) is None:
            return None
        glyph = glyph.crop(box)
    glyph = _rotate(glyph, shape.angle)
    unresized = glyph.size == (wide, high)  # Then Pillow's resize is a copy, without a conversion that rounds.
    if not unresized:
        glyph = glyph.convert("RGBa").resize((wide, high), Resampling.BICUBIC, (0, 0, *glyph.size))
    corners = (x1, y1), (-x1, high - y2), (wide + x2, high + y2), (wide - x2, -y1)
    warped = _imaging.fill(glyph.mode, shape.size, 0)
    warped.transform((0, 0, width, height), glyph, Transform.QUAD, _quad(shape.size, *corners), Resampling.NEAREST, 1)
    return warped if unresized else warped.convert("RGBA")


def _quad(size: _Size, nw: _Size, sw: _Size, se: _Size, ne: _Size) -> tuple[float, ...]:
    """The coefficients of Pillow's `Transform.QUAD`, in its own order of arithmetic."""
    (x0, y0), across, down = nw, 1.0 / size[0], 1.0 / size[1]
    return (
        x0,
        (ne[0] - x0) * across,
        (sw[0] - x0) * down,
        (se[0] - sw[0] - ne[0] + x0) * across * down,
        y0,
        (ne[1] - y0) * across,
        (sw[1] - y0) * down,
        (se[1] - sw[1] - ne[1] + y0) * across * down,
    )


def _rotate(glyph: Any, angle: float) -> Any:
    """`Image.rotate(angle, BILINEAR, expand=True)` of an RGBA core image."""
    angle %= 360.0
    if angle % 90 == 0:  # Pillow turns these without arithmetic.
        return glyph.transpose(_TURNS[int(angle)]) if angle else glyph
    size, matrix = _rotation(glyph.size, angle)
    rotated = _imaging.fill("RGBa", size, 0)
    rotated.transform((0, 0, *size), glyph.convert("RGBa"), Transform.AFFINE, matrix, Resampling.BILINEAR, 1)
    return rotated.convert("RGBA")


_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def _rotation(size: _Size, angle: float) -> tuple[_Size, tuple[float, ...]]:
    """Size and matrix of the rotated image, in Pillow's own order of arithmetic: floating point rounds alike."""
    width, height = size
    radians = -math.radians(angle)
    cos, sin, minus_sin = round(math.cos(radians), 15), round(math.sin(radians), 15), round(-math.sin(radians), 15)
    centre_x, centre_y = width / 2, height / 2
    move_x = cos * -centre_x + sin * -centre_y + 0.0 + centre_x
    move_y = minus_sin * -centre_x + cos * -centre_y + 0.0 + centre_y
    xs = [cos * x + sin * y + move_x for x, y in ((0, 0), (width, 0), (width, height), (0, height))]
    ys = [minus_sin * x + cos * y + move_y for x, y in ((0, 0), (width, 0), (width, height), (0, height))]
    new_width = math.ceil(max(xs)) - math.floor(min(xs))
    new_height = math.ceil(max(ys)) - math.floor(min(ys))
    x, y = -(new_width - width) / 2.0, -(new_height - height) / 2.0
    matrix = (cos, sin, cos * x + sin * y + move_x, minus_sin, cos, minus_sin * x + cos * y + move_y)
    return (new_width, new_height), matrix
