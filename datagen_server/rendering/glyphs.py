"""Characters as they come out of the fonts, before they are coloured and warped.

Note: a glyph is drawn when it is first needed, and only so many are kept. Thousands of characters in several
fonts and sizes would fill a worker's memory; a few digits stay for good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from captcha.image import DEFAULT_FONTS
from PIL import Image, ImageDraw, ImageFont

from shared.dataset.fonts import FontFile, FontFiles, check_unchanged
from shared.dataset.style import Style
from shared.errors import UsageError

# Raqm would do as well, but whether it is there depends on the system's FriBiDi.
LAYOUT = ImageFont.Layout.BASIC
FONT_PATH: str = DEFAULT_FONTS[0]
_MARGIN = 4
"Pixels around a glyph's box: antialiasing may leave it."
_EMPTY = (0, 0, 0, 0)
_CACHE_BYTES = 32 << 20
_Box = tuple[int, int, int, int]


class Glyph(NamedTuple):
    """A character in one font and size."""

    size: tuple[int, int]
    "(width, height) of its box; the warped glyph fills it."
    inks: tuple[tuple[Image.Image | None, ...], ...]
    """Mode L, for each vertical offset, for each horizontal one. They differ where a glyph begins left of its box or
    above it: a small offset cuts it off there. One row, or rows of one, where it makes no difference. None: no ink.
    """


@dataclass(frozen=True)
class Glyphs:
    """The glyphs of one style. Any number of threads may share them."""

    num_fonts: int
    "Fonts times sizes, in the captcha library's order."
    glyph: Callable[[str, int], Glyph]
    "Of a character in the font of a number below `num_fonts`."


def load_glyphs(style: Style, font_files: FontFiles) -> Glyphs:
    """Raises `UsageError` when a font of the style cannot be used."""
    paths = [_checked_path(FontFile(font, font_files.find(font))) for font in style.fonts] or [FONT_PATH]
    fonts = [open_font(path, size) for path in paths for size in style.font_sizes]
    glyph_bytes = sum(font.size**2 for font in fonts) / len(fonts)

    @lru_cache(maxsize=max(64, int(_CACHE_BYTES / glyph_bytes)))
    def glyph(character: str, number: int) -> Glyph:
        return _draw_glyph(character, fonts[number], style)

    return Glyphs(len(fonts), glyph)


def open_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """The first face of a font file; raises `UsageError` when it is none."""
    try:
        return ImageFont.truetype(path, size, layout_engine=LAYOUT)
    except (OSError, ValueError) as error:
        raise UsageError(f"font {path} is no TrueType or OpenType font that can be drawn with: {error}") from error


def _checked_path(file: FontFile) -> str:
    check_unchanged(file)
    return str(file.path)


def _draw_glyph(character: str, font: ImageFont.FreeTypeFont, style: Style) -> Glyph:
    # The library's box is that of the character at (1, 1); its corner stays at (0, 0).
    left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
    width, height = right + 1, bottom + 1
    sheet = Image.new("L", (right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN))
    ImageDraw.Draw(sheet).text((_MARGIN - left, _MARGIN - top), character, font=font, fill=255)
    (least_x, most_x), (least_y, most_y) = style.character_offset_dx, style.character_offset_dy
    drawn: dict[_Box, Image.Image | None] = {}

    def ink(dx: int, dy: int) -> Image.Image | None:
        """What is right of -dx and below -dy."""
        box = _ink_box(sheet, max(0, _MARGIN - left - dx), max(0, _MARGIN - top - dy))
        if box not in drawn:
            drawn[box] = sheet.crop(box) if box != _EMPTY else None
        return drawn[box]

    inner_left, inner_top, _, _ = _ink_box(sheet, 0, 0)
    dxs = range(least_x, most_x + 1)
    if inner_left >= _MARGIN - left - least_x:  # Nothing is cut off on the left.
        dxs = range(least_x, least_x + 1)
    dys = range(least_y, most_y + 1)
    if inner_top >= _MARGIN - top - least_y:
        dys = range(least_y, least_y + 1)
    rows = tuple(tuple(ink(dx, dy) for dx in dxs) for dy in dys)
    return Glyph((width, height), rows)


def _ink_box(sheet: Image.Image, left: int, top: int) -> _Box:
    """The box around what has ink right of `left` and below `top`."""
    box = sheet.crop((left, top, *sheet.size)).getbbox()
    return (box[0] + left, box[1] + top, box[2] + left, box[3] + top) if box else _EMPTY
