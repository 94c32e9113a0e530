"""The ground below the characters, where a style wants more than the captcha library's one colour."""

from collections.abc import Callable

from PIL import Image
from PIL.Image import Resampling

from datagen_server.rendering.pictures.geometry import Color
from shared.dataset.seeding import Draws

_CELL = 16
"Pixels from one colour of a texture to the next."


def draw_background(
    image: Image.Image, kind: str, first: Color, draw_color: Callable[[Draws], Color], draws: Draws
) -> None:
    """Covers an image, mode RGB, with colours that go over into one another.

    kind: gradient, a colour in each corner, or texture, one every 16 pixels. The first is given, the others are drawn.
    """
    size = image.size
    cells = (2, 2) if kind == "gradient" else (size[0] // _CELL + 2, size[1] // _CELL + 2)
    colors = [first, *(draw_color(draws) for _ in range(cells[0] * cells[1] - 1))]
    coarse = Image.frombytes("RGB", cells, bytes(level for color in colors for level in color))
    # From the middle of the first cell to the middle of the last: beyond there is nothing to go over into.
    box = (0.5, 0.5, cells[0] - 0.5, cells[1] - 0.5)
    image.im.paste(coarse.resize(size, Resampling.BILINEAR, box=box).im, (0, 0, *size))
