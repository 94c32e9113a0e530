"""Glyphs and smoothing compiled by Numba: the arithmetic of Pillow in C, so every pixel is the same, without its detours.

What `warp` does in a dozen pictures of four channels is done here in one go. Quicker because where four neighbours
are equal their mean is no arithmetic, and of the stretched glyph only what the warp takes is made.

Note: importing this takes what importing Numba takes. The first call of all compiles, which takes seconds;
later processes read the machine code from the disk.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_Bytes = NDArray[np.uint8]
_Ints = NDArray[np.int32]
# Pillow scales the weights of a resampling filter so that integers do (Resample.c).
_PRECISION_BITS = 32 - 8 - 2

jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
inlined: Any = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")


@jit
def paste_glyph(
    canvas: _Bytes,
    ink: _Bytes,
    color: _Ints,
    size: tuple[int, int],
    matrix: NDArray[np.float64],
    stretched: tuple[int, int],
    quad: NDArray[np.float64],
    box: tuple[int, int, int, int],
    table: _Bytes,
) -> None:
    """Pastes a glyph, coloured, rotated, resized and warped as `warp.paste_glyph` does, onto [height, width, 4].

    ink: [rows, columns]. color: red, green, blue, opacity. size: (width, height) once rotated by the affine `matrix`;
    an empty one: nothing to rotate. stretched: (width, height) before the warp by `quad` into `box`: left, top,
    width, height.
    """
    unresized = size[0] == stretched[0] and size[1] == stretched[1]
    if matrix.size:
        glyph = _rotated(ink, _premultiplied(color), size, matrix, not unresized)
    else:
        glyph = _columns(ink, _opaque(color) if unresized else _premultiplied(color))
    # Pillow's order: the lines first, unless they get fewer by more than twice as many as the columns.
    lost_columns, lost_rows = size[0] - stretched[0], size[1] - stretched[1]
    rows_first = lost_rows > 0 and lost_rows > 2 * lost_columns
    if rows_first:
        glyph = _transposed(glyph)
    source = size if not rows_first else (size[1], size[0])
    target = stretched if not rows_first else (stretched[1], stretched[0])
    glyph = _resampled(glyph, source[0], target[0])
    firsts, counts, weights = _weights(source[1], target[1])
    left, top, width, height = box
    for y in range(max(0, -top), min(height, canvas.shape[0] - top)):
        for x in range(max(0, -left), min(width, canvas.shape[1] - left)):
            across, down = x + 0.5, y + 0.5
            from_x = quad[0] + quad[1] * across + quad[2] * down + quad[3] * across * down
            from_y = quad[4] + quad[5] * across + quad[6] * down + quad[7] * across * down
            if from_x < 0.0 or from_y < 0.0 or from_x >= stretched[0] or from_y >= stretched[1]:
                continue
            column, row = (int(from_y), int(from_x)) if rows_first else (int(from_x), int(from_y))
            _blend(canvas[y + top, x + left], glyph[column], firsts[row], counts[row], weights[row], table)


@inlined
def _blend(pixel: _Bytes, column: _Bytes, first: int, count: int, weights: _Ints, table: _Bytes) -> None:
    red = green = blue = alpha = np.int32(1 << (_PRECISION_BITS - 1))
    for tap in range(count):
        weight, place = weights[tap], 4 * (first + tap)
        red = np.int32(red + weight * column[place])
        green = np.int32(green + weight * column[place + 1])
        blue = np.int32(blue + weight * column[place + 2])
        alpha = np.int32(alpha + weight * column[place + 3])
    a = _clip(alpha)
    r, g, b = _divided(_clip(red), a), _divided(_clip(green), a), _divided(_clip(blue), a)
    # The mask is the brightened luminance of the colour, not its alpha.
    mask = np.int32(table[(r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16])
    if mask:
        pixel[0] = _div255(pixel[0] * (255 - mask) + r * mask)
        pixel[1] = _div255(pixel[1] * (255 - mask) + g * mask)
        pixel[2] = _div255(pixel[2] * (255 - mask) + b * mask)


@jit
def narrowed(canvas: _Bytes, width: int) -> _Bytes:
    """[height, width, 4]: the canvas resized as Pillow does, bicubic."""
    height = canvas.shape[0]
    firsts, counts, weights = _weights(canvas.shape[1], width)
    out = np.zeros((height, width, 4), np.uint8)
    for y in range(height):
        line = canvas[y]
        for x in range(width):
            red = green = blue = np.int32(1 << (_PRECISION_BITS - 1))
            for tap in range(counts[x]):
                weight, place = weights[x, tap], firsts[x] + tap
                red = np.int32(red + weight * line[place, 0])
                green = np.int32(green + weight * line[place, 1])
                blue = np.int32(blue + weight * line[place, 2])
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = _clip(red), _clip(green), _clip(blue)
    return out


@jit
def finished(canvas: _Bytes, dots: NDArray[np.intp], margin: int, color: _Ints) -> _Bytes:
    """[height, width, 3]: the canvas under its dots, smoothed as `noise.smooth` does.

    dots: [n, m] pixel numbers, row by row, on a canvas with `margin` on all sides.
    """
    height, width = canvas.shape[:2]
    for dot in dots:
        for number in dot:
            y, x = number // (width + 2 * margin) - margin, number % (width + 2 * margin) - margin
            if 0 <= y < height and 0 <= x < width:
                canvas[y, x, 0], canvas[y, x, 1], canvas[y, x, 2] = color[0], color[1], color[2]
    lines = np.empty((height, 3 * width), np.uint8)
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                lines[y, 3 * x + channel] = canvas[y, x, channel]
    out = lines.copy()
    sums = np.empty(3 * width, np.uint16)
    for y in range(1, height - 1):
        above, line, below, smoothed = lines[y - 1], lines[y], lines[y + 1], out[y]
        for place in range(3 * width):
            sums[place] = np.uint16(above[place]) + np.uint16(line[place]) + np.uint16(below[place])
        for place in range(3, 3 * width - 3):
            total = np.uint16(sums[place - 3] + sums[place] + sums[place + 3] + np.uint16(4) * line[place] + 6)
            smoothed[place] = np.uint16(total // np.uint16(13))
    return out.reshape(height, width, 3)


@jit
def _rotated(
    ink: _Bytes, colors: _Bytes, size: tuple[int, int], matrix: NDArray[np.float64], rounded: bool
) -> _Bytes:
    """[width, height * 4], premultiplied. rounded: as after a conversion to plain colours and back."""
    rows, columns = ink.shape
    out = np.zeros((size[0], 4 * size[1]), np.uint8)
    for x in range(size[0]):
        for y in range(size[1]):
            across, down = x + 0.5, y + 0.5
            from_x = matrix[0] * across + matrix[1] * down + matrix[2]
            from_y = matrix[3] * across + matrix[4] * down + matrix[5]
            if from_x < 0.0 or from_x >= columns or from_y < 0.0 or from_y >= rows:
                continue
            from_x, from_y = from_x - 0.5, from_y - 0.5
            left, top = math.floor(from_x), math.floor(from_y)
            share_x, share_y = from_x - left, from_y - top
            x0, x1 = max(left, 0), min(left + 1, columns - 1)
            y0, y1 = max(top, 0), min(top + 1, rows - 1)
            nw, ne, sw, se = ink[y0, x0], ink[y0, x1], ink[y1, x0], ink[y1, x1]
            pixel = out[x, 4 * y : 4 * y + 4]
            if nw == ne and nw == sw and nw == se:
                if nw:
                    for channel in range(4):
                        pixel[channel] = colors[nw, channel]
            else:
                for channel in range(4):
                    c0, c1 = np.float64(colors[nw, channel]), np.float64(colors[sw, channel])
                    above = c0 + (colors[ne, channel] - c0) * share_x
                    below = c1 + (colors[se, channel] - c1) * share_x
                    pixel[channel] = int(above + (below - above) * share_y)
            alpha = np.int32(pixel[3])
            if rounded and 0 < alpha < 255:
                for channel in range(3):
                    pixel[channel] = _div255(_divided(np.int32(pixel[channel]), alpha) * alpha)
    return out


@jit
def _columns(ink: _Bytes, colors: _Bytes) -> _Bytes:
    """[width, height * 4]: the colours of the ink, column by column."""
    rows, columns = ink.shape
    out = np.empty((columns, 4 * rows), np.uint8)
    for x in range(columns):
        for y in range(rows):
            out[x, 4 * y : 4 * y + 4] = colors[ink[y, x]]
    return out


@jit
def _transposed(columns: _Bytes) -> _Bytes:
    width, height = columns.shape[0], columns.shape[1] // 4
    out = np.empty((height, 4 * width), np.uint8)
    for y in range(height):
        for x in range(width):
            out[y, 4 * x : 4 * x + 4] = columns[x, 4 * y : 4 * y + 4]
    return out


@jit
def _resampled(lines: _Bytes, source: int, target: int) -> _Bytes:
    """[target, n] from [source, n]."""
    if source == target:
        return lines
    firsts, counts, weights = _weights(source, target)
    length = lines.shape[1]
    out, sums = np.empty((target, length), np.uint8), np.empty(length, np.int32)
    for number in range(target):
        sums[:] = 1 << (_PRECISION_BITS - 1)
        for tap in range(counts[number]):
            weight, line = weights[number, tap], lines[firsts[number] + tap]
            for place in range(length):
                sums[place] += np.int32(weight * np.int32(line[place]))
        for place in range(length):
            out[number, place] = _clip(sums[place])
    return out


@jit
def _weights(source: int, target: int) -> tuple[_Ints, _Ints, _Ints]:
    """Of Pillow's bicubic filter: for each of `target` the first of `source`, how many, and their weights."""
    scale = source / target
    filter_scale = max(scale, 1.0)
    support, inverse = 2.0 * filter_scale, 1.0 / filter_scale
    most = 2 * math.ceil(support) + 1
    firsts, counts = np.empty(target, np.int32), np.empty(target, np.int32)
    weights, exact = np.empty((target, most), np.int32), np.empty(most, np.float64)
    for number in range(target):
        centre = (number + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        count = min(int(centre + support + 0.5), source) - first
        total = 0.0
        for tap in range(count):
            exact[tap] = _bicubic((tap + first - centre + 0.5) * inverse)
            total += exact[tap]
        for tap in range(count):
            share = (exact[tap] / total if total != 0.0 else exact[tap]) * (1 << _PRECISION_BITS)
            weights[number, tap] = int(share - 0.5 if share < 0 else share + 0.5)
        firsts[number], counts[number] = first, count
    return firsts, counts, weights


@jit
def _bicubic(x: float) -> float:
    x = abs(x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1
    if x < 2.0:
        return (((x - 5) * x + 8) * x - 4) * -0.5
    return 0.0


@jit
def _premultiplied(color: _Ints) -> _Bytes:
    """[256, 4]: the colour behind each strength of ink."""
    out = np.zeros((256, 4), np.uint8)
    for strength in range(256):
        alpha = _div255(color[3] * strength)
        for channel in range(3):
            out[strength, channel] = _div255(color[channel] * alpha)
        out[strength, 3] = alpha
    return out


@jit
def _opaque(color: _Ints) -> _Bytes:
    """[256, 4]: the colour, wherever there is any ink."""
    out = np.zeros((256, 4), np.uint8)
    for strength in range(1, 256):
        out[strength, 0], out[strength, 1], out[strength, 2], out[strength, 3] = color[0], color[1], color[2], 255
    return out


@inlined
def _divided(level: int, alpha: int) -> Any:
    return level if alpha in (0, 255) else min(np.int32(255 * level) // np.int32(alpha), np.int32(255))


@inlined
def _div255(value: int) -> Any:
    return np.int32(((value + 128) + ((value + 128) >> 8)) >> 8)


@inlined
def _clip(value: int) -> Any:
    return np.int32(min(max(value >> _PRECISION_BITS, 0), 255))
