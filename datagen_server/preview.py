"""Contact sheets: many captchas on one picture, each with its label below."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from datagen_server.picture import FONT_PATH, LAYOUT

_PAPER, _TEXT = (246, 246, 244), (40, 40, 40)
_GAP, _FONT_SIZE, _CAPTION_HEIGHT = 10, 15, 24


def contact_sheet(images: NDArray[np.uint8], captions: Sequence[str], columns: int = 8) -> Image.Image:
    """A picture of `images`, uint8 [n, height, width, 3], in rows of `columns`, each above its caption.

    A caption that is wider than its image is cut, with a dot at the end.
    """
    num_images, height, width = images.shape[:3]
    columns = min(columns, num_images) or 1
    step_x, step_y = width + _GAP, height + _CAPTION_HEIGHT + _GAP
    num_rows = math.ceil(num_images / columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP, num_rows * step_y + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(FONT_PATH, _FONT_SIZE, layout_engine=LAYOUT)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        left, top = _GAP + column * step_x, _GAP + row * step_y
        sheet.paste(Image.fromarray(image), (left, top))
        centre = left + width / 2, top + height + _CAPTION_HEIGHT / 2
        draw.text(centre, _fit(caption, width, font), fill=_TEXT, font=font, anchor="mm")
    return sheet


def _fit(caption: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    while font.getlength(caption) > width:
        caption = caption.removesuffix(".")[:-1] + "."
    return caption
