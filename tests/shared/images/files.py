"""Picture files for tests."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(width: int = 40, height: int = 20, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 [height, width, 3]: blocks of colours that JPEG keeps nearly as they are."""
    small = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    return np.ascontiguousarray(small.repeat(8, axis=0).repeat(8, axis=1)[:height, :width])


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The file that Pillow makes of `image`."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def picture_file(width: int = 40, height: int = 20, form: str = "PNG", seed: int = 0, **options: Any) -> bytes:
    """A file with `pixels(width, height, seed)`."""
    return saved(Image.fromarray(pixels(width, height, seed)), form, **options)
