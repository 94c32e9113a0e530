"""The captcha library's picture, from a given stream of draws and in less than half the time: every pixel is the same.

`Painter.paint` follows `captcha.image.ImageCaptcha.generate_image` step for step and draw for draw, with the library's
own font and constants. Written anew because the library draws from a process-wide `secrets`; quicker because

- a glyph is drawn once per font size and horizontal offset, when the painter is made, and not for every picture;
- a space is an empty picture: it has a size and takes its draws, but there is nothing to rotate, warp or paste;
- colours stay premultiplied by their alpha (mode RGBa) through rotation, resizing and warp, where the library converts
  forth and back. Only the conversion between rotation and resizing stays: it rounds, so it shows;
- noise dots and smoothing are integer arithmetic in NumPy.
"""

from typing import NamedTuple

import numpy as np
from captcha.image import DEFAULT_FONTS, ImageCaptcha
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Resampling, Transform

from shared.dataset.seeding import Draws

# Raqm would do as well, but whether it is there depends on the system's FriBiDi.
LAYOUT = ImageFont.Layout.BASIC
FONT_PATH: str = DEFAULT_FONTS[0]
_FONT_SIZES = (42, 50, 56)
_SPACE = " "
_NUM_DOTS, _DOT_WIDTH = 30, 3
_MARGIN = 4  # Dots may reach over the edge by this much.
_BRIGHTER = bytes(min(value, 255) for value in ImageCaptcha.lookup_table)
_Color = tuple[int, ...]


class _Glyph(NamedTuple):
    """A character in one font size."""

    size: tuple[int, int]
    "(width, height) of its box; the warped glyph fills it."
    inks: tuple[Image.Image | None, ...]
    "Mode L, for each horizontal offset: a glyph that begins left of its box is cut by a small one. None without ink."


class _Shape(NamedTuple):
    """A character with everything the draws decide about it."""

    size: tuple[int, int]
    ink: Image.Image | None
    angle: float
    "Degrees, counter-clockwise."
    shifts: tuple[int, ...]
    "Pixels by which the corners move: x1, y1, x2, y2."


class Painter:
    """Paints captchas of one size over one alphabet. Holds nothing that changes: any number of threads may share it."""

    def __init__(self, width: int, height: int, alphabet: str) -> None:
        self._width, self._height = width, height
        fonts = [ImageFont.truetype(FONT_PATH, size, layout_engine=LAYOUT) for size in _FONT_SIZES]
        self._glyphs = {character: [_draw_glyph(character, font) for font in fonts] for character in alphabet + _SPACE}
        self._stride = width + 2 * _MARGIN
        self._dot = _dot_offsets(self._stride)

    def paint(self, text: str, draws: Draws) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], RGB: `text` on a pale ground behind noise."""
        background = _random_color(draws, 238, 255)
        opacity = draws.randbelow(36) + 220
        color = _random_color(draws, 10, 200)
        image = self._write(text, background, (*color, opacity), draws)
        dots = self._draw_dots(draws)
        self._draw_curve(image, color, draws)
        canvas = np.zeros((self._height + 2 * _MARGIN, self._stride, 3), np.uint16)
        inner = canvas[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        inner[:] = np.asarray(image)
        canvas.reshape(-1, 3)[dots] = color
        return _smooth(inner)

    def _write(self, text: str, background: _Color, color: _Color, draws: Draws) -> Image.Image:
        shapes = self._draw_shapes(text, draws)
        text_width = sum(shape.size[0] for shape in shapes)
        image = Image.new("RGB", (max(text_width, self._width), self._height), background)
        average = int(text_width / len(text))
        overlap = int(ImageCaptcha.word_offset_dx * average)
        left = int(average * 0.1)
        for shape in shapes:
            width, height = shape.size
            if shape.ink is not None:
                glyph = _warp(shape, shape.ink, color)
                # The mask is the brightened luminance of the colour, not its alpha.
                brightened = glyph.convert("L").tobytes().translate(_BRIGHTER)
                mask = Image.frombytes("L", glyph.size, brightened)
                image.paste(glyph, (left, int((self._height - height) / 2)), mask)
            left += width - draws.randbelow(overlap + 1)
        return image.resize((self._width, self._height)) if text_width > self._width else image

    def _draw_shapes(self, text: str, draws: Draws) -> list[_Shape]:
        shapes = []
        for character in text:
            if _fraction(draws) > ImageCaptcha.word_space_probability:
                shapes.append(_draw_shape(self._glyphs[_SPACE], draws))
            shapes.append(_draw_shape(self._glyphs[character], draws))
        return shapes

    def _draw_dots(self, draws: Draws) -> NDArray[np.intp]:
        """Where the dots are on the canvas with its margins, pixels numbered row by row."""
        width, height, stride, below = self._width, self._height, self._stride, draws.randbelow
        centres = np.array([below(width + 1) + below(height + 1) * stride for _ in range(_NUM_DOTS)])
        return centres[:, None] + self._dot

    def _draw_curve(self, image: Image.Image, color: _Color, draws: Draws) -> None:
        width, height = self._width, self._height
        x1 = draws.randbelow(width // 5 + 1)
        x2 = draws.randbelow(width - width // 5 + 1) + width // 5
        y1 = draws.randbelow(height - 2 * (height // 5) + 1) + height // 5
        y2 = draws.randbelow(height - y1 - height // 5 + 1) + y1
        end = draws.randbelow(41) + 160
        start = draws.randbelow(21)
        ImageDraw.Draw(image).arc((x1, y1, x2, y2), start, end, fill=color)


def _random_color(draws: Draws, low: int, high: int) -> _Color:
    return tuple(draws.randbelow(high - low + 1) + low for _ in range(3))


def _fraction(draws: Draws) -> float:
    return draws.randbits(32) / 2**32


def _draw_glyph(character: str, font: ImageFont.FreeTypeFont) -> _Glyph:
    box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((1, 1), character, font=font)
    size = int(box[2]), int(box[3])
    least, most = ImageCaptcha.character_offset_dx
    return _Glyph(size, tuple(_draw_ink(character, font, size, offset) for offset in range(least, most + 1)))


def _draw_ink(character: str, font: ImageFont.FreeTypeFont, size: tuple[int, int], offset: int) -> Image.Image | None:
    ink = Image.new("L", (size[0] + offset, size[1]))
    ImageDraw.Draw(ink).text((offset, 0), character, font=font, fill=255)
    box = ink.getbbox()
    return ink.crop(box) if box else None


def _draw_shape(glyphs: list[_Glyph], draws: Draws) -> _Shape:
    (width, height), inks = glyph = draws.choice(glyphs)
    ink = draws.choice(inks)
    draws.randbelow(7)  # The vertical offset: whatever it is, the box around the ink is cut out.
    least, most = ImageCaptcha.character_rotate
    angle = least + _fraction(draws) * (most - least)
    (least_x, most_x), (least_y, most_y) = ImageCaptcha.character_warp_dx, ImageCaptcha.character_warp_dy
    reach_x = width * _fraction(draws) * (most_x - least_x) + least_x
    reach_y = height * _fraction(draws) * (most_y - least_y) + least_y
    shifts = tuple(int(_fraction(draws) * 2 * reach - reach) for reach in (reach_x, reach_y, reach_x, reach_y))
    return _Shape(glyph.size, ink, angle, shifts)


def _warp(shape: _Shape, ink: Image.Image, color: _Color) -> Image.Image:
    """The coloured glyph, mode RGBA, rotated and warped to `shape.size`."""
    width, height = shape.size
    x1, y1, x2, y2 = shape.shifts
    wide, high = width + abs(x1) + abs(x2), height + abs(y1) + abs(y2)
    corners = (x1, y1, -x1, high - y2, wide + x2, high + y2, wide - x2, -y1)
    glyph = Image.new("RGBA", ink.size)
    glyph.paste(color, (0, 0), ink)
    glyph = glyph.convert("RGBa").rotate(shape.angle, Resampling.BILINEAR, expand=True)
    glyph = glyph.convert("RGBA").convert("RGBa").resize((wide, high))
    return glyph.transform(shape.size, Transform.QUAD, corners).convert("RGBA")


def _dot_offsets(stride: int) -> NDArray[np.intp]:
    """[n] pixel numbers, relative to its centre, of the dot that Pillow draws, in rows of `stride` pixels."""
    middle = 2 * _MARGIN
    dot = Image.new("1", (2 * middle, 2 * middle))
    ImageDraw.Draw(dot).line(((middle, middle), (middle - 1, middle - 1)), fill=1, width=_DOT_WIDTH)
    rows, columns = np.nonzero(np.asarray(dot))
    return (rows - middle + _MARGIN) * stride + columns - middle + _MARGIN


def _smooth(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """`PIL.ImageFilter.SMOOTH`: (1, 1, 1), (1, 5, 1), (1, 1, 1), over 13, but for the outermost pixels.

    Integers round as floats do here: 13 is odd, so no sum lies half-way.
    """
    lines = pixels.reshape(len(pixels), -1)  # The same colour of the next pixel is 3 numbers on.
    columns = lines[:-2] + lines[1:-1] + lines[2:]
    sums = columns[:, :-6] + columns[:, 3:-3] + columns[:, 6:] + 4 * lines[1:-1, 3:-3]
    smooth = lines.astype(np.uint8)
    smooth[1:-1, 3:-3] = (sums + 6) // 13
    return smooth.reshape(pixels.shape)
