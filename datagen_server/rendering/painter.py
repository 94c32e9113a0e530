"""The captcha library's picture, from a given stream of draws, several times as fast: every pixel is the same.

`Painter.paint` follows `captcha.image.ImageCaptcha.generate_image` step for step and draw for draw, with the parameters
of a style. Written anew because the library draws from a process-wide `secrets`; quicker because

- a glyph is drawn once for each font and size, and not for every picture;
- a space is an empty picture: it has a size and takes its draws, but there is nothing to rotate, warp or paste;
- a glyph is rotated, stretched and warped by compiled kernels or by Pillow's core (see `pictures`);
- noise dots and smoothing are integer arithmetic.

What a style has and the library has not takes its draws only where it is asked for: background colours beyond the first
in place of that one, a colour for each character once their shapes are drawn, lines after the curves.
"""

import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray

from datagen_server.rendering.background import draw_background
from datagen_server.rendering.glyphs import load_glyphs
from datagen_server.rendering.noise import Dots, draw_curve, draw_line
from datagen_server.rendering.pictures.geometry import Color, Shape
from datagen_server.rendering.pictures.picture import Picture, next_picture
from shared.dataset.fonts import FontFiles
from shared.dataset.seeding import Draws
from shared.dataset.style import Style

_SPACE = " "


class Painter:
    """Paints captchas of one size in one style. Any number of threads may share it."""

    def __init__(
        self, size: tuple[int, int], style: Style, font_files: FontFiles, picture: type[Picture] | None = None
    ) -> None:
        """size: (width, height). picture: how to draw; none: as is quickest for this process."""
        self._width, self._height = width, height = size
        self._style, self._picture = style, picture
        self._glyphs = load_glyphs(style, font_files)
        self._dots = Dots(width, height, style.noise_dots, style.noise_dots_width)
        self._strengths = bytes(min(level, 255) for level in style.lookup_table or ImageCaptcha.lookup_table)

    def paint(self, text: str, draws: Draws) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], RGB: `text` on its background behind noise."""
        style = self._style
        # The library draws the background's first colour before all else, and a given one not at all.
        background = style.bg_color or self._draw_background_color(draws)
        color = self._draw_color(draws)
        picture = self._write(text, background, color, draws)
        dots = self._dots.draw(draws)
        if style.noise_curves or style.noise_lines:
            image = picture.image
            for _ in range(style.noise_curves):
                draw_curve(image, color[:3], draws)
            for _ in range(style.noise_lines):
                draw_line(image, color[:3], style.noise_lines_width, draws)
        return picture.finish(self._dots, dots, color)

    def _draw_background_color(self, draws: Draws) -> Color:
        return _random_color(draws, *self._style.bg_color_range)

    def _draw_color(self, draws: Draws) -> Color:
        """Red, green, blue and opacity. The library draws them for a given colour as well."""
        style = self._style
        least, most = style.fg_opacity_range
        opacity = least + draws.randbelow(most - least + 1)
        drawn = (*_random_color(draws, *style.fg_color_range), opacity)
        return (*style.fg_color, 255)[:4] if style.fg_color else drawn

    def _write(self, text: str, background: Color, color: Color, draws: Draws) -> Picture:
        shapes = self._draw_shapes(text, draws)
        text_width = sum(shape.size[0] for shape in shapes)
        kind = self._picture or next_picture()
        picture = kind((max(text_width, self._width), self._height), background, self._strengths)
        if self._style.background != "plain":
            draw_background(picture.image, self._style.background, background, self._draw_background_color, draws)
        colors = self._colors_of(shapes, color, draws)
        average = int(text_width / len(text))
        overlap = int(self._style.word_offset_dx * average)
        left = int(average * 0.1)
        for shape, ink_color in zip(shapes, colors, strict=True):
            width, height = shape.size
            if shape.ink is not None:
                picture.paste_glyph((left, int((self._height - height) / 2)), shape, ink_color)
            left += width - draws.randbelow(overlap + 1)
        if text_width > self._width:
            picture.narrow(self._width)
        return picture

    def _colors_of(self, shapes: list[Shape], color: Color, draws: Draws) -> list[Color]:
        if not self._style.character_colors:
            return [color] * len(shapes)
        return [
            color if shape.ink is None else (*_random_color(draws, *self._style.fg_color_range), color[3])
            for shape in shapes
        ]

    def _draw_shapes(self, text: str, draws: Draws) -> list[Shape]:
        shapes, probability = [], self._style.word_space_probability
        for character in text:
            if draws.fraction() > probability:
                shapes.append(self._draw_shape(_SPACE, draws))
            shapes.append(self._draw_shape(character, draws))
        return shapes

    def _draw_shape(self, character: str, draws: Draws) -> Shape:
        style, below, fraction = self._style, draws.randbelow, draws.fraction
        size, rows = self._glyphs.glyph(character, below(self._glyphs.num_fonts))
        (least_x, most_x), (least_y, most_y) = style.character_offset_dx, style.character_offset_dy
        dx, dy = below(most_x - least_x + 1), below(most_y - least_y + 1)
        row = rows[min(dy, len(rows) - 1)]
        ink = row[min(dx, len(row) - 1)]
        least, most = style.character_rotate
        angle = least + fraction() * (most - least)
        reach_x = _reach(size[0], style.character_warp_dx, draws)
        reach_y = _reach(size[1], style.character_warp_dy, draws)
        shifts = (
            int(fraction() * 2 * reach_x - reach_x),
            int(fraction() * 2 * reach_y - reach_y),
            int(fraction() * 2 * reach_x - reach_x),
            int(fraction() * 2 * reach_y - reach_y),
        )
        return Shape(size, ink, angle, shifts)


def _random_color(draws: Draws, low: int, high: int) -> Color:
    return tuple(draws.randbelow(high - low + 1) + low for _ in range(3))


def _reach(side: int, warp: tuple[float, float], draws: Draws) -> float:
    return side * draws.fraction() * (warp[1] - warp[0]) + warp[0]
