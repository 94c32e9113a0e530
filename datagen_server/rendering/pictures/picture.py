"""A picture while it is drawn, and the two ways to draw it: compiled, where Numba is installed, and with Pillow."""

import logging
import platform
from functools import cache
from itertools import count
from threading import Thread
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen_server.rendering import pictures
from datagen_server.rendering.noise import Dots
from datagen_server.rendering.pictures.geometry import Color, Shape, Size
from datagen_server.rendering.pictures.pillow import PillowPicture
from shared.dataset.seeding import Draws

_logger = logging.getLogger(__name__)
_DRAWN_BEFORE_NUMBA = 1000
"""Pictures of a process. Loading Numba and the kernels takes as long as the kernels save on some 2,500 pictures; a job
that has drawn this many is likely to be a long one, and one that is about to start a training has drawn fewer."""
_pictures = count(1)


class Picture(Protocol):
    """Every pixel is the same, whichever way it is drawn."""

    def __init__(self, size: Size, color: Color, strengths: bytes) -> None:
        """size: (width, height), in one colour. strengths: how strongly a glyph covers, for each of 256 luminances."""

    @property
    def image(self) -> Image.Image:
        """Mode RGB, to draw upon with Pillow."""

    def paste_glyph(self, place: Size, shape: Shape, color: Color) -> None:
        """Pastes a glyph at (left, top), coloured and warped; `color`: red, green, blue, opacity."""

    def narrow(self, width: int) -> None:
        """Resizes to a smaller width."""

    def finish(self, dots: Dots, places: NDArray[np.intp], color: Color) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], RGB: the picture with dots in `places`, smoothed. Nothing else may follow."""


_ways: list[type[Picture]] = [PillowPicture]
"The last one is used."


def next_picture() -> type[Picture]:
    """How to draw the next picture of this process.

    None waits for Numba, which may compile for seconds: a longer job loads it in a thread.
    """
    if next(_pictures) == _DRAWN_BEFORE_NUMBA:
        Thread(target=lambda: _ways.append(quickest_picture()), name="load Numba").start()
    return _ways[-1]


@cache
def quickest_picture() -> type[Picture]:
    """The compiled one where Numba is installed and this is x86-64; see `compiled` for what loading it costs.

    Elsewhere a compiler may fuse the additions and multiplications of Pillow, and then they round otherwise.
    """
    if platform.machine() != "x86_64":
        return PillowPicture
    try:
        compiled = pictures.CompiledPicture  # Imports Numba.
    except ImportError:
        return PillowPicture
    except RuntimeError as error:  # Numba's, when no folder is writable: each process would compile for seconds.
        _logger.warning("pictures are drawn with Pillow, at half the speed: %s; set NUMBA_CACHE_DIR to a folder", error)
        return PillowPicture
    if not np.array_equal(_probe(compiled), _probe(PillowPicture)):
        _logger.warning("pictures are drawn with Pillow, at half the speed: the compiled kernels draw other pixels")
        return PillowPicture
    return compiled


def _probe(kind: type[Picture]) -> NDArray[np.uint8]:
    """A picture in which each kernel has a part. Fingerprints are made before the kernels are loaded."""
    picture, color = kind((200, 64), (250, 240, 245), bytes(range(256))), (30, 120, 190, 230)
    ink = (np.arange(40 * 30).reshape(40, 30) * 37 % 256).astype(np.uint8)
    for left, angle in ((5, 23.5), (60, -11.25), (110, 90.0)):
        picture.paste_glyph((left, 6), Shape((44, 48), ink, angle, (3, -2, -1, 4)), color)
    picture.narrow(160)
    dots = Dots(160, 64, 30, 3)
    return picture.finish(dots, dots.draw(Draws(1)), color)
