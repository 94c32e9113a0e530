"""Pillow's core, which its `Image` wraps: for pictures as small as these the wrapping costs as much as the arithmetic.

Note: the core (`PIL._imaging`, `image.im`) is no public interface. The laws that compare with the library, and
the probe samples in every fingerprint, notice a Pillow that changes it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, _imaging


def core_of(pixels: NDArray[Any], mode: str) -> Any:
    """A core image of the array's memory: [height, width] of uint8 for L, else [height, width] of 4 bytes."""
    return _imaging.map_buffer(np.ascontiguousarray(pixels), pixels.shape[::-1], "raw", 0, (mode, 0, 1))


def array_of(core: Any) -> NDArray[np.uint8]:
    """[height, width]: a copy of a core image of mode L."""
    width, height = core.size
    pixels = np.empty((height, width), np.uint8)
    core_of(pixels, "L").paste(core, (0, 0, width, height))
    return pixels


def image_of(core: Any) -> Image.Image:
    """The `Image` around a core."""
    return Image.Image()._new(core)
