"""The captcha library as it is, fed from a stream of draws: the oracle of what a picture must look like."""

from unittest.mock import patch

import captcha.image
import numpy as np
from captcha.image import DEFAULT_FONTS, ImageCaptcha
from numpy.typing import NDArray
from PIL import ImageFont

from shared.dataset.seeding import Draws, sample_key
from shared.dataset.spec import DatasetSpec


class StockRenderer:
    """What `CaptchaRenderer` must equal. Not for threads: the library's source of draws is one for the process."""

    def __init__(self, spec: DatasetSpec) -> None:
        self._spec = spec
        self._library = ImageCaptcha(spec.width, spec.height)
        layout = ImageFont.Layout.BASIC
        self._library._truefonts = [
            ImageFont.truetype(DEFAULT_FONTS[0], size, layout_engine=layout) for size in self._library._font_sizes
        ]

    def render(self, split: str, index: int) -> tuple[NDArray[np.uint8], str]:
        spec = self._spec
        draws = Draws(sample_key(spec.seed, split, index))
        length = spec.min_length + draws.randbelow(spec.max_length - spec.min_length + 1)
        text = "".join(draws.choice(spec.alphabet) for _ in range(length))
        with patch.object(captcha.image, "secrets", draws):
            return np.asarray(self._library.generate_image(text)), text
