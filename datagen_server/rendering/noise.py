"""What lies over the characters: dots, curves, lines; and the smoothing that ends a picture.

Dots and smoothing are integer arithmetic in NumPy, several times as fast as Pillow's drawing and filter, and equal.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from datagen_server.rendering.pictures.geometry import Color
from shared.dataset.seeding import Draws

_STRIP = 1 << 16
"How many numbers are smoothed at once: so many stay in a core's cache."


class Dots:
    """The captcha library's dots: short strokes anywhere on a picture, in one colour."""

    def __init__(self, width: int, height: int, num_dots: int, dot_width: int) -> None:
        self.margin = dot_width + 1
        "By how much a dot may reach over the edge."
        self._bounds = (width + 1, height + 1) * num_dots
        self._steps = np.array([1, width + 2 * self.margin], np.intp)
        self._dot = _dot_offsets(width + 2 * self.margin, self.margin, dot_width)

    def draw(self, draws: Draws) -> NDArray[np.intp]:
        """Where they are on a canvas with margins on all sides, pixels numbered row by row."""
        centres = np.array(draws.below_each(self._bounds), np.intp).reshape(-1, 2) @ self._steps
        return centres[:, None] + self._dot


def draw_curve(image: Image.Image, color: Color, draws: Draws) -> None:
    """An arc of one pixel, as the captcha library draws it."""
    width, height = image.size
    x1 = draws.randbelow(width // 5 + 1)
    x2 = draws.randbelow(width - width // 5 + 1) + width // 5
    y1 = draws.randbelow(height - 2 * (height // 5) + 1) + height // 5
    y2 = draws.randbelow(height - y1 - height // 5 + 1) + y1
    end = draws.randbelow(41) + 160
    start = draws.randbelow(21)
    ImageDraw.Draw(image).arc((x1, y1, x2, y2), start, end, fill=color)


def draw_line(image: Image.Image, color: Color, line_width: int, draws: Draws) -> None:
    """A straight line from the left edge to the right; the captcha library has none."""
    width, height = image.size
    ends = (0, draws.randbelow(height), width - 1, draws.randbelow(height))
    ImageDraw.Draw(image).line(ends, fill=color, width=line_width)


def smooth(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """`PIL.ImageFilter.SMOOTH`: (1, 1, 1), (1, 5, 1), (1, 1, 1), over 13, but for the outermost pixels.

    Integers round as floats do here: 13 is odd, so no sum lies half-way.
    """
    row = 3 * pixels.shape[1]
    lines = np.ascontiguousarray(pixels).reshape(-1)
    smoothed = lines.astype(np.uint8).reshape(-1, row)
    step = max(1, _STRIP // row)
    for first in range(1, len(smoothed) - 1, step):
        last = min(first + step, len(smoothed) - 1)
        smoothed[first:last, 3:-3] = _smooth_rows(lines[(first - 1) * row : (last + 1) * row], row)[:, 3:-3]
    return smoothed.reshape(pixels.shape)


def _smooth_rows(lines: NDArray[np.uint16], row: int) -> NDArray[np.uint16]:
    """Of rows of `row` numbers, one after another, all but the first and the last; their outermost pixels are wrong.

    The same colour of the next pixel is 3 numbers on. One long array is quicker than many rows, each begun anew.
    """
    columns = lines[: -2 * row] + lines[row:-row]
    columns += lines[2 * row :]
    sums = np.left_shift(lines[row:-row], 2)
    inner = sums[3:-3]
    inner += columns[:-6]
    inner += columns[3:-3]
    inner += columns[6:]
    inner += 6
    inner //= 13
    return sums.reshape(-1, row)


def _dot_offsets(stride: int, margin: int, dot_width: int) -> NDArray[np.intp]:
    """[n] pixel numbers, relative to its centre, of the dot that Pillow draws, in rows of `stride` pixels."""
    middle = 2 * margin
    dot = Image.new("1", (2 * middle, 2 * middle))
    ImageDraw.Draw(dot).line(((middle, middle), (middle - 1, middle - 1)), fill=1, width=dot_width)
    rows, columns = np.nonzero(np.asarray(dot))
    return (rows - middle + margin) * stride + columns - middle + margin
