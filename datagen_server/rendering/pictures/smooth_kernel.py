"""The compiled end of a picture: dots, smoothing, and the three colours of every pixel."""

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.pictures.jit import Bytes, Pixels, jit

_THIRTEENTH = 5042
"Of 65,536, rounded up: exact for every sum of levels that the smoothing divides by 13."


@jit
def finished(canvas: Pixels, dots: NDArray[np.intp], margin: int, ink: int) -> Bytes:
    """[height, width, 3]: the canvas under its dots, smoothed as `noise.smooth` does. It writes on the canvas.

    dots: [n, m] pixel numbers, row by row, on a canvas with `margin` on all sides.
    """
    height, width = canvas.shape
    for dot in dots:
        for number in dot:
            y, x = number // (width + 2 * margin) - margin, number % (width + 2 * margin) - margin
            if 0 <= y < height and 0 <= x < width:
                canvas[y, x] = ink
    return _colors(_smoothed(canvas)).reshape(height, width, 3)


@jit
def _smoothed(canvas: Pixels) -> Pixels:
    out = canvas.copy()
    before, after = canvas.view(np.uint8), out.view(np.uint8)
    length = before.shape[1]
    sums = np.empty(length, np.uint32)
    for y in range(1, len(canvas) - 1):
        above, line, below = before[y - 1], before[y], before[y + 1]
        for place in range(length):
            sums[place] = np.uint32(above[place]) + np.uint32(line[place]) + np.uint32(below[place])
        left, middle, right, centre, smoothed = sums[:-8], sums[4:-4], sums[8:], line[4:-4], after[y, 4:-4]
        for place in range(length - 8):
            total = np.uint32(left[place] + middle[place] + right[place] + 4 * centre[place] + 6)
            smoothed[place] = np.uint32(total * np.uint32(_THIRTEENTH)) >> np.uint32(16)
    return out


@jit
def _colors(canvas: Pixels) -> Bytes:
    """[n]: red, green, blue of every pixel; four pixels are three words."""
    pixels = canvas.reshape(canvas.size) & np.uint32(0xFFFFFF)
    out = np.empty(3 * len(pixels), np.uint8)
    whole = len(pixels) // 4
    words = out[: 12 * whole].view(np.uint32)
    for four in range(whole):
        p0, p1, p2, p3 = pixels[4 * four], pixels[4 * four + 1], pixels[4 * four + 2], pixels[4 * four + 3]
        words[3 * four] = p0 | p1 << 24
        words[3 * four + 1] = p1 >> 8 | p2 << 16
        words[3 * four + 2] = p2 >> 16 | p3 << 8
    for number in range(4 * whole, len(pixels)):
        for channel in range(3):
            out[3 * number + channel] = pixels[number] >> (8 * channel)
    return out
