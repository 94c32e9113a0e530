"""Augmentation: training images altered a little in every epoch, so that a small data set teaches more.

How a sample is altered is a pure function of (order seed, epoch, index), so ranks, batch sizes and restarts change
nothing. It runs in the thread that reads, on uint8 images, beside the step: 0.3 ms of processor time an image of
160x64 at `light`, 0.5 ms at `strong`.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from shared.dataset.seeding import Draws, augmentation_key
from shared.dataset.spec import DatasetSpec
from shared.protocol.batch import Batch
from shared.recogniser.ctc.ctc_frames import check_labels
from shared.recogniser.network.network_spec import NetworkSpec
from trainer.config import TrainerConfig

Strength = Literal["none", "light", "strong"]


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """How far an image may be altered, either way, and how likely it is."""

    shift: tuple[float, float]
    "Of width and of height, as a share of them."
    scale: float
    "Width and height, each by a factor of its own."
    rotation: float
    "Degrees."
    shear: float
    "Columns that a row moves for each row below it."
    gain: float
    "Contrast, of each channel."
    offset: float
    "Brightness, of each channel, in grey levels."
    noise: int
    "Grey levels at most."
    swap_share: float
    "Images whose channels change places."
    blur_share: float
    blur_radius: float
    "Pixels at most."
    jpeg_share: float
    jpeg_quality: tuple[int, int]
    strokes_share: float
    num_strokes: int
    "At most."


RANGES: Mapping[Strength, Ranges] = MappingProxyType(
    {
        "light": Ranges(
            shift=(0.04, 0.06),
            scale=0.08,
            rotation=3.0,
            shear=0.08,
            gain=0.15,
            offset=12.0,
            noise=8,
            swap_share=0.0,
            blur_share=0.1,
            blur_radius=0.6,
            jpeg_share=0.0,
            jpeg_quality=(60, 95),
            strokes_share=0.0,
            num_strokes=1,
        ),
        "strong": Ranges(
            shift=(0.08, 0.12),
            scale=0.15,
            rotation=7.0,
            shear=0.2,
            gain=0.3,
            offset=30.0,
            noise=20,
            swap_share=0.3,
            blur_share=0.25,
            blur_radius=1.0,
            jpeg_share=0.3,
            jpeg_quality=(35, 90),
            strokes_share=0.25,
            num_strokes=2,
        ),
    }
)


class Augmentation:
    """Alters whole batches; the labels stay as they are."""

    def __init__(self, strength: Strength, order_seed: int) -> None:
        self._ranges, self._seed = RANGES.get(strength), order_seed

    def images(self, batch: Batch) -> NDArray[np.uint8]:
        """uint8 [n, height, width, 3]: the batch's images altered; the very same array when the strength is none."""
        ranges = self._ranges
        if ranges is None:
            return batch.images
        altered = np.empty_like(batch.images)
        for row, (image, index) in enumerate(zip(batch.images, batch.indices.tolist(), strict=True)):
            altered[row] = augment(image, ranges, augmentation_key(self._seed, batch.epoch, index))
        return altered


class BatchPreparation:
    """What happens to a batch between stream and step: its labels are checked, its images augmented."""

    def __init__(self, config: TrainerConfig, dataset: DatasetSpec, network: NetworkSpec) -> None:
        self._dataset, self._network = dataset, network
        self._augmentation = Augmentation(config.augment, config.seed)

    def __call__(self, batch: Batch) -> NDArray[np.uint8]:
        """The images to train on; raises `UsageError` naming a sample whose label does not fit the frames."""
        remedy = self._network.how_to_get_more_frames
        check_labels(batch.labels, batch.indices, self._dataset, self._network.num_frames, remedy)
        return self._augmentation.images(batch)


def augment(image: NDArray[np.uint8], ranges: Ranges, key: int) -> NDArray[np.uint8]:
    """One image uint8 [height, width, 3], altered as `key` says; the same bytes for the same key."""
    draws = _Uniform(key)
    picture = Image.fromarray(image)
    picture = picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        _affine(picture.width, picture.height, ranges, draws),
        Image.Resampling.BILINEAR,
        fillcolor=_border_colour(image),
    )
    # Each is drawn for, whether it comes or not: what is drawn after it does not depend on it.
    if draws.chance(ranges.strokes_share):
        _draw_strokes(picture, 1 + draws.below(ranges.num_strokes), draws)
    picture = picture.point(_tables(ranges, draws))
    if draws.chance(ranges.swap_share):
        red, green, blue = picture.split()
        picture = Image.merge("RGB", [(green, blue, red), (blue, red, green)][draws.below(2)])
    if draws.chance(ranges.blur_share):
        picture = picture.filter(ImageFilter.BoxBlur(draws.within(0.2, ranges.blur_radius)))
    altered = _noisy(np.asarray(picture), draws.below(ranges.noise + 1), key)
    if draws.chance(ranges.jpeg_share):
        altered = _through_jpeg(altered, int(draws.within(*ranges.jpeg_quality)))
    return altered


class _Uniform:
    """Draws of the kinds needed here."""

    def __init__(self, key: int) -> None:
        self._draws = Draws(key)

    def within(self, low: float, high: float) -> float:
        return low + (high - low) * self._draws.randbits(53) / 2**53

    def below(self, bound: int) -> int:
        return self._draws.randbelow(bound)

    def chance(self, share: float) -> bool:
        return self.within(0.0, 1.0) < share


def _affine(width: int, height: int, ranges: Ranges, draws: _Uniform) -> tuple[float, ...]:
    """Where each pixel of the result is taken from, as Pillow wants it: (a, b, c, d, e, f), about the middle."""
    across, down = (draws.within(-most, most) * size for most, size in zip(ranges.shift, (width, height), strict=True))
    wider, higher = (1.0 / (1.0 + draws.within(-ranges.scale, ranges.scale)) for _ in range(2))
    angle = math.radians(draws.within(-ranges.rotation, ranges.rotation))
    shear = draws.within(-ranges.shear, ranges.shear)
    cos, sin = math.cos(angle), math.sin(angle)
    a, b = wider * cos, wider * (shear * cos - sin)
    d, e = higher * sin, higher * (shear * sin + cos)
    middle_x, middle_y = width / 2, height / 2
    c = middle_x - a * (middle_x + across) - b * (middle_y + down)
    f = middle_y - d * (middle_x + across) - e * (middle_y + down)
    return a, b, c, d, e, f


def _border_colour(image: NDArray[np.uint8]) -> tuple[int, int, int]:
    """The mean of the outermost pixels: what an image that moves away leaves behind."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    red, green, blue = (int(total) // len(border) for total in border.sum(axis=0, dtype=np.int64))
    return red, green, blue


def _draw_strokes(picture: Image.Image, num: int, draws: _Uniform) -> None:
    canvas = ImageDraw.Draw(picture)
    for _ in range(num):
        ends = [draws.within(0, size) for size in (picture.width, picture.height) * 2]
        colour = (draws.below(256), draws.below(256), draws.below(256))
        canvas.line(ends, fill=colour, width=1 + draws.below(2))


def _tables(ranges: Ranges, draws: _Uniform) -> Sequence[int]:
    """768 values: what each value of each channel becomes."""
    tables: list[int] = []
    for _ in range(3):
        gain, offset = draws.within(1 - ranges.gain, 1 + ranges.gain), draws.within(-ranges.offset, ranges.offset)
        values = (np.arange(256) - 128.0) * gain + (128.0 + offset)
        tables += np.clip(np.rint(values), 0, 255).astype(int).tolist()
    return tables


def _noisy(image: NDArray[np.uint8], most: int, key: int) -> NDArray[np.uint8]:
    """Uniform noise of at most `most` grey levels, from raw bits: NumPy promises those for ever, and no more."""
    bits = np.random.Philox(key=key % 2**128).random_raw(-(-image.size // 8)).view(np.int8)[: image.size]
    noise = (bits.astype(np.int16).reshape(image.shape) * most) // 127
    noisy: NDArray[np.uint8] = np.clip(image + noise, 0, 255).astype(np.uint8)
    return noisy


def _through_jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))
