"""Pictures of any size brought to one: padded, stretched or cropped, as the `Fit` of a data set says."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.dataset.fit import Fit


def fit_picture(image: NDArray[np.uint8], width: int, height: int, fit: Fit) -> NDArray[np.uint8]:
    """uint8 [height, width, 3] from uint8 [any, any, 3]; the same array when it has that size already."""
    if image.shape[:2] == (height, width):
        return image
    picture, size = Image.fromarray(image), (width, height)
    resampling = Image.Resampling[fit.resampling.upper()]
    if fit.mode != "pad":
        box = _middle(picture.size, size) if fit.mode == "crop" else None
        return np.asarray(picture.resize(size, resampling, box))
    scaled = picture.resize(_inside(picture.size, size), resampling)
    canvas = Image.new("RGB", size, fit.ground)
    canvas.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2))
    return np.asarray(canvas)


def _inside(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """`size` with its aspect kept, as large as fits into `target`. In whole numbers, equal on every machine."""
    (width, height), (target_width, target_height) = size, target
    if width * target_height > height * target_width:
        return target_width, max(1, _rounded(height * target_width, width))
    return max(1, _rounded(width * target_height, height)), target_height


def _middle(size: tuple[int, int], target: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest box in the middle of `size` that has the aspect of `target`: left, top, right, bottom."""
    (width, height), (target_width, target_height) = size, target
    kept_width, kept_height = float(width), float(height)
    if width * target_height > height * target_width:
        kept_width = height * target_width / target_height
    else:
        kept_height = width * target_height / target_width
    left, top = (width - kept_width) / 2, (height - kept_height) / 2
    return left, top, left + kept_width, top + kept_height


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
