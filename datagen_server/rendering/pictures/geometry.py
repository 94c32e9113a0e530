"""Where the pixels of a character go: rotated by an affine map, stretched, warped by a quadrilateral.

Everything is in Pillow's own order of arithmetic, since floating point rounds by it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
Color = tuple[int, ...]
_OPAQUE_ENOUGH = 128
"From this opacity on, whatever has ink has some after it is coloured."


class Shape(NamedTuple):
    """A character with everything the draws decide about it."""

    size: Size
    "(width, height), once warped."
    ink: NDArray[np.uint8] | None
    "[rows, columns], 0..255; None: no ink."
    angle: float
    "Degrees, counter-clockwise."
    shifts: tuple[int, ...]
    "Pixels by which the corners move: x1, y1, x2, y2."

    @property
    def stretched_size(self) -> Size:
        """(width, height) from which the warp takes its pixels."""
        (width, height), (x1, y1, x2, y2) = self.size, self.shifts
        return width + abs(x1) + abs(x2), height + abs(y1) + abs(y2)


def size_of(ink: NDArray[np.uint8]) -> Size:
    """(width, height)."""
    return ink.shape[1], ink.shape[0]


def visible_ink(shape: Shape, opacity: int) -> NDArray[np.uint8] | None:
    """The ink, cut to what has a pixel at an opacity of 1..255."""
    ink = shape.ink
    if ink is None or opacity >= _OPAQUE_ENOUGH:
        return ink
    seen = ink >= math.ceil(128 / opacity)  # From there on ink * opacity / 255 is not rounded to 0.
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return None
    return np.ascontiguousarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def quad(shape: Shape) -> tuple[float, ...]:
    """The eight coefficients of Pillow's `Transform.QUAD` from the stretched character to its size."""
    (x1, y1, x2, y2), (wide, high) = shape.shifts, shape.stretched_size
    (x0, y0), sw, se, ne = (x1, y1), (-x1, high - y2), (wide + x2, high + y2), (wide - x2, -y1)
    across, down = 1.0 / shape.size[0], 1.0 / shape.size[1]
    return (
        float(x0),
        (ne[0] - x0) * across,
        (sw[0] - x0) * down,
        (se[0] - sw[0] - ne[0] + x0) * across * down,
        float(y0),
        (ne[1] - y0) * across,
        (sw[1] - y0) * down,
        (se[1] - sw[1] - ne[1] + y0) * across * down,
    )


def rotation(size: Size, angle: float) -> tuple[Size, tuple[float, ...]]:
    """(width, height) and the affine coefficients of `Image.rotate(angle, expand=True)`; no multiple of 90 degrees."""
    width, height = size
    radians = -math.radians(angle)
    cos, sin, minus_sin = round(math.cos(radians), 15), round(math.sin(radians), 15), round(-math.sin(radians), 15)
    centre_x, centre_y = width / 2, height / 2
    move_x = cos * -centre_x + sin * -centre_y + 0.0 + centre_x
    move_y = minus_sin * -centre_x + cos * -centre_y + 0.0 + centre_y
    # The corners, clockwise; Pillow adds products with 0 as well, which change no sum.
    right_x, right_y, below_x, below_y = cos * width, minus_sin * width, sin * height, cos * height
    xs = move_x, right_x + move_x, right_x + below_x + move_x, below_x + move_x
    ys = move_y, right_y + move_y, right_y + below_y + move_y, below_y + move_y
    new_width = math.ceil(max(xs)) - math.floor(min(xs))
    new_height = math.ceil(max(ys)) - math.floor(min(ys))
    x, y = -(new_width - width) / 2.0, -(new_height - height) / 2.0
    matrix = (cos, sin, cos * x + sin * y + move_x, minus_sin, cos, minus_sin * x + cos * y + move_y)
    return (new_width, new_height), matrix
