"""A picture while it is drawn, and the two ways to draw it: compiled, where Numba is installed, and with Pillow."""

import logging
import platform
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen_server.rendering.noise import Dots
from datagen_server.rendering.pictures.geometry import Color, Shape, Size
from datagen_server.rendering.pictures.pillow import PillowPicture

_logger = logging.getLogger(__name__)


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


@cache
def quickest_picture() -> type[Picture]:
    """The compiled one where Numba is installed and this is x86-64; see `compiled` for what loading it costs.

    Elsewhere a compiler may fuse the additions and multiplications of Pillow, and then they round otherwise.
    """
    if platform.machine() != "x86_64":
        return PillowPicture
    try:
        # Not above: it takes time and memory, and commands that draw nothing come here as well.
        from datagen_server.rendering.pictures.compiled import CompiledPicture
    except ImportError:
        return PillowPicture
    except RuntimeError as error:  # Numba's, when no folder is writable: each process would compile for seconds.
        _logger.warning("pictures are drawn with Pillow, at half the speed: %s; set NUMBA_CACHE_DIR to a folder", error)
        return PillowPicture
    return CompiledPicture
