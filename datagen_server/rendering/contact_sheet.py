"""Contact sheets: many captchas on one picture, each with its label below."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from datagen_server.rendering.glyphs import FONT_PATH, open_font

_PAPER, _TEXT = (246, 246, 244), (40, 40, 40)
_GAP, _FONT_SIZE, _CAPTION_HEIGHT = 10, 15, 24


def contact_sheet(
    images: NDArray[np.uint8], captions: Sequence[str], columns: int = 8, font_path: str = FONT_PATH
) -> Image.Image:
    """A picture of `images`, uint8 [n, height, width, 3], in rows of `columns`, each above its caption."""
    num_images, height, width = images.shape[:3]
    columns = min(columns, num_images)
    font = open_font(font_path, _FONT_SIZE)
    widest = max(width, *(math.ceil(font.getlength(caption)) for caption in captions))
    step_x, step_y = widest + _GAP, height + _CAPTION_HEIGHT + _GAP
    num_rows = math.ceil(num_images / columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP, num_rows * step_y + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        centre, top = _GAP + column * step_x + widest // 2, _GAP + row * step_y
        sheet.paste(Image.fromarray(image), (centre - width // 2, top))
        draw.text((centre, top + height + _CAPTION_HEIGHT / 2), caption, fill=_TEXT, font=font, anchor="mm")
    return sheet
