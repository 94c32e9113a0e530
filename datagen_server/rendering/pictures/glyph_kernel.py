"""The compiled part of a glyph: rotated, resized, warped and pasted as Pillow's C does it, so every pixel is the same.

What Pillow does in a dozen pictures of four channels is done here in three loops. Where four neighbours are equal
their mean is no arithmetic, and both passes of the resizing run along contiguous memory.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.pictures.jit import Bytes, Pixels, inlined, jit

_Ints = NDArray[np.int32]
# Pillow scales the weights of a resampling filter so that integers do (Resample.c).
_PRECISION_BITS = 32 - 8 - 2


@jit
def rotated(ink: Bytes, colors: Pixels, size: tuple[int, int], matrix: tuple[float, ...], is_rounded: bool) -> Pixels:
    """[width, height], premultiplied, of that (width, height): ink [rows, columns] after the affine `matrix`, bilinear.

    colors: [256], premultiplied, for each strength of ink. is_rounded: as after a conversion to plain colours and back.
    """
    rows, columns = ink.shape
    x0, x1, x2, y0, y1, y2 = matrix
    out, last, uniform = np.zeros(size, np.uint32), np.uint8(0), np.uint32(0)
    for x in range(size[0]):
        for y in range(size[1]):
            across, down = x + 0.5, y + 0.5
            from_x = x0 * across + x1 * down + x2
            from_y = y0 * across + y1 * down + y2
            if from_x < 0.0 or from_x >= columns or from_y < 0.0 or from_y >= rows:
                continue
            from_x, from_y = from_x - 0.5, from_y - 0.5
            left, top = math.floor(from_x), math.floor(from_y)
            west, east = max(left, 0), min(left + 1, columns - 1)
            north, south = max(top, 0), min(top + 1, rows - 1)
            nw, ne, sw, se = ink[north, west], ink[north, east], ink[south, west], ink[south, east]
            if nw == ne and nw == sw and nw == se:
                if nw == 0:
                    continue
                if nw != last:
                    last, uniform = nw, _rounded(colors[nw]) if is_rounded else colors[nw]
                out[x, y] = uniform
            else:
                pixel = _mean(colors[nw], colors[ne], colors[sw], colors[se], from_x - left, from_y - top)
                out[x, y] = _rounded(pixel) if is_rounded else pixel
    return out


@jit
def paste(
    canvas: Pixels,
    glyph: Pixels,
    stretched: tuple[int, int],
    quad: tuple[float, ...],
    box: tuple[int, int, int, int],
    strengths: Bytes,
) -> None:
    """Pastes a glyph [width, height], premultiplied, resized to `stretched` and warped by `quad` into `box`.

    stretched: (width, height). box: left, top, width, height. strengths: how much each luminance covers.
    """
    glyph = _stretched(glyph, stretched)
    left, top, width, height = box
    x0, x1, x2, x3, y0, y1, y2, y3 = quad
    last, red, green, blue, mask = np.uint32(0), 0, 0, 0, 0
    for y in range(max(0, -top), min(height, canvas.shape[0] - top)):
        for x in range(max(0, -left), min(width, canvas.shape[1] - left)):
            across, down = x + 0.5, y + 0.5
            from_x = x0 + x1 * across + x2 * down + x3 * across * down
            from_y = y0 + y1 * across + y2 * down + y3 * across * down
            if from_x < 0.0 or from_y < 0.0 or from_x >= stretched[0] or from_y >= stretched[1]:
                continue
            pixel = glyph[int(from_y), int(from_x)]
            if pixel == 0:
                continue
            if pixel != last:
                last, alpha = pixel, pixel >> 24
                red, green, blue = (
                    _divided(_level(pixel, 0), alpha),
                    _divided(_level(pixel, 1), alpha),
                    _divided(_level(pixel, 2), alpha),
                )
                # The mask is the brightened luminance of the colour, not its alpha.
                mask = int(strengths[(red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16])
            under = canvas[y + top, x + left]
            canvas[y + top, x + left] = _packed(
                _div255(_level(under, 0) * (255 - mask) + red * mask),
                _div255(_level(under, 1) * (255 - mask) + green * mask),
                _div255(_level(under, 2) * (255 - mask) + blue * mask),
                0,
            )


@jit
def narrowed(canvas: Pixels, width: int) -> Pixels:
    """A canvas [height, width] resized to that width, bicubic."""
    return _transposed(_resampled(_transposed(canvas), width))


@inlined
def _mean(nw: int, ne: int, sw: int, se: int, share_x: float, share_y: float) -> Any:
    pixel = np.uint32(0)
    for channel in range(4):
        c0, c1 = float(_level(nw, channel)), float(_level(sw, channel))
        above = c0 + (_level(ne, channel) - c0) * share_x
        below = c1 + (_level(se, channel) - c1) * share_x
        pixel |= np.uint32(int(above + (below - above) * share_y) << (8 * channel))
    return pixel


@jit
def _transposed(pixels: Pixels) -> Pixels:
    height, width = pixels.shape
    out = np.empty((width, height), np.uint32)
    for x in range(width):
        for y in range(height):
            out[x, y] = pixels[y, x]
    return out


@jit
def _stretched(columns: Pixels, size: tuple[int, int]) -> Pixels:
    """[height, width] of that (width, height), bicubic, from [width, height]."""
    lost_columns, lost_rows = columns.shape[0] - size[0], columns.shape[1] - size[1]
    # Pillow's order: columns first, unless the rows get fewer by more than twice as many.
    if lost_rows > 0 and lost_rows > 2 * lost_columns:
        return _transposed(_resampled(_transposed(_resampled(_transposed(columns), size[1])), size[0]))
    return _resampled(_transposed(_resampled(columns, size[0])), size[1])


@jit
def _resampled(pixels: Pixels, target: int) -> Pixels:
    """[target, n] from [source, n], bicubic."""
    if target == len(pixels):
        return pixels
    firsts, counts, weights = _weights(len(pixels), target)
    lines = pixels.view(np.uint8)
    length = lines.shape[1]
    out, sums = np.empty((target, pixels.shape[1]), np.uint32), np.empty(length, np.int32)
    levels = out.view(np.uint8)
    for number in range(target):
        sums[:] = 1 << (_PRECISION_BITS - 1)
        for tap in range(counts[number]):
            weight, line = weights[number, tap], lines[firsts[number] + tap]
            for place in range(length):
                sums[place] += np.int32(weight * np.int32(line[place]))
        level = levels[number]
        for place in range(length):
            level[place] = _clip(sums[place])
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


@inlined
def _rounded(pixel: int) -> Any:
    """As after a conversion from premultiplied to plain colours and back."""
    alpha = pixel >> 24
    if alpha in (0, 255):
        return pixel if alpha else np.uint32(0)
    return _packed(
        _div255(_divided(_level(pixel, 0), alpha) * alpha),
        _div255(_divided(_level(pixel, 1), alpha) * alpha),
        _div255(_divided(_level(pixel, 2), alpha) * alpha),
        alpha,
    )


@inlined
def _divided(level: int, alpha: int) -> Any:
    return level if alpha in (0, 255) else min(np.int64(np.uint32(255 * level) // np.uint32(alpha)), 255)


@inlined
def _div255(value: int) -> Any:
    return ((value + 128) + ((value + 128) >> 8)) >> 8


@inlined
def _level(pixel: int, channel: int) -> Any:
    return np.int64((pixel >> (8 * channel)) & 255)


@inlined
def _packed(red: int, green: int, blue: int, alpha: int) -> Any:
    return np.uint32(red | green << 8 | blue << 16 | alpha << 24)


@inlined
def _clip(value: int) -> Any:
    return min(max(value >> _PRECISION_BITS, 0), 255)
