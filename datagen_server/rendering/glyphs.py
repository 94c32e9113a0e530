"""Characters as they come out of the fonts, before they are coloured and warped.

Note: a glyph is drawn when it is first needed, and only so many are kept. Thousands of characters in several
fonts and sizes would fill a worker's memory; a few digits stay for good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from captcha.image import DEFAULT_FONTS
from numpy.typing import NDArray
from PIL import ImageFont

from datagen_server.rendering.pictures.core import array_of, core_of
from shared.dataset.fonts import FontFile, FontFiles, check_unchanged
from shared.dataset.style import Style
from shared.errors import UsageError

# Raqm would do as well, but whether it is there depends on the system's FriBiDi.
LAYOUT = ImageFont.Layout.BASIC
FONT_PATH: str = DEFAULT_FONTS[0]
Ink = NDArray[np.uint8]
"[rows, columns], 0..255, without empty rows and columns outside."
_CACHE_BYTES = 32 << 20
_OVERHEAD_BYTES = 600
"Of a glyph's objects."


class Glyph(NamedTuple):
    """A character in one font and size."""

    size: tuple[int, int]
    "(width, height) of its box; the warped glyph fills it."
    inks: tuple[tuple[Ink | None, ...], ...]
    """For each vertical offset, for each horizontal one, from the least; the last one is that of all larger offsets.

    They differ where a glyph begins left of its box or above it: a small offset cuts it off there. None: no ink.
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
    glyph_bytes = _OVERHEAD_BYTES + sum(font.size**2 for font in fonts) / len(fonts)

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
    mask, (left, top) = font.getmask2(character, "L")
    size, box = (left + mask.size[0] + 1, top + mask.size[1] + 1), mask.getbbox()
    rows: tuple[tuple[Ink | None, ...], ...] = ((None,),)
    if box:
        left, top, ink = left + box[0], top + box[1], array_of(mask.crop(box))
        dxs, dys = _offsets(style.character_offset_dx, left), _offsets(style.character_offset_dy, top)
        rows = tuple(tuple(_cut(ink, -left - dx, -top - dy) for dx in dxs) for dy in dys)
    return Glyph(size, rows)


def _offsets(span: tuple[int, int], start: int) -> range:
    """From the least offset to the first with which ink that starts there is inside the box."""
    least, most = span
    return range(least, max(least, min(most, -start)) + 1)


def _cut(ink: Ink, left: int, top: int) -> Ink | None:
    """What is right of `left` and below `top`, without its empty border."""
    if left <= 0 and top <= 0:
        return ink
    part = np.ascontiguousarray(ink[max(top, 0) :, max(left, 0) :])
    box = core_of(part, "L").getbbox() if part.size else None
    return np.ascontiguousarray(part[box[1] : box[3], box[0] : box[2]]) if box else None
