"""The data set as a function: spec, split, index -> picture and label, the same in every thread, process and year.

A sample owns one stream of draws. It decides, in this order, the length of the text, its characters, the style where
there are several, the picture.
"""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from datagen_server.rendering.painter import Painter
from datagen_server.rendering.pictures.picture import Picture
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.seeding import Draws, sample_key
from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError

# Part of the fingerprint. Raise it with any change that changes a pixel or a text; the golden digests tell.
RENDERER_VERSION = 1


class CaptchaRenderer:
    """Renders the samples of one spec. Any number of threads may share it; making one costs milliseconds."""

    def __init__(
        self, spec: DatasetSpec, font_files: FontFiles = NO_FONTS, picture: type[Picture] | None = None
    ) -> None:
        """font_files: those of the spec's fonts. picture: how to draw; none: as is quickest for this process.

        Raises `UsageError` when a font is missing or spoilt.
        """
        if spec.is_imported:
            raise UsageError("the pictures of this data set were imported; they cannot be rendered")
        self._spec = spec
        self._painters = [Painter((spec.width, spec.height), style, font_files, picture) for style in spec.styles]
        self._weights = list(accumulate(style.weight for style in spec.styles))

    def text(self, split: str, index: int) -> str:
        """See `sample_text`."""
        return sample_text(self._spec, split, index)

    def render(self, split: str, index: int) -> tuple[NDArray[np.uint8], str]:
        """The picture of a sample, uint8 [height, width, 3], RGB, and its text."""
        draws = _draws(self._spec, split, index)
        text = _draw_text(self._spec, draws)
        return self._draw_painter(draws).paint(text, draws), text

    def _draw_painter(self, draws: Draws) -> Painter:
        if len(self._painters) == 1:
            return self._painters[0]
        return self._painters[bisect_right(self._weights, draws.randbelow(self._weights[-1]))]


def sample_text(spec: DatasetSpec, split: str, index: int) -> str:
    """The characters of a rendered sample, far quicker than its picture. Neither the split nor the count is checked."""
    return _draw_text(spec, _draws(spec, split, index))


def _draws(spec: DatasetSpec, split: str, index: int) -> Draws:
    return Draws(sample_key(spec.seed, split, index))


def _draw_text(spec: DatasetSpec, draws: Draws) -> str:
    length = spec.min_length + draws.randbelow(spec.max_length - spec.min_length + 1)
    return "".join(draws.choice(spec.alphabet) for _ in range(length))
