"""The captcha library as it is, fed from a stream of draws: the oracle of what a picture must look like."""

from typing import Any
from unittest.mock import patch

import captcha.image
import numpy as np
from captcha.image import DEFAULT_FONTS, ImageCaptcha
from numpy.typing import NDArray
from PIL import ImageFont
from PIL.Image import Image
from PIL.ImageFilter import SMOOTH

from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.dataset.seeding import Draws, sample_key
from shared.dataset.spec import DatasetSpec
from shared.dataset.style import Style

LIBRARY_ATTRIBUTES = (
    "character_offset_dx",
    "character_offset_dy",
    "character_rotate",
    "character_warp_dx",
    "character_warp_dy",
    "word_space_probability",
    "word_offset_dx",
)


class StyledCaptcha(ImageCaptcha):
    """The library with a style's parameters. Which of its methods are called, and how often, is all that is ours."""

    def __init__(self, width: int, height: int, style: Style, font_files: FontFiles) -> None:
        paths = [str(font_files.find(font)) for font in style.fonts] or DEFAULT_FONTS
        super().__init__(width, height, paths, style.font_sizes)
        self._style = style
        self._truefonts = [
            ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
            for path in self._fonts
            for size in self._font_sizes
        ]
        for name in LIBRARY_ATTRIBUTES:
            setattr(self, name, getattr(style, name))
        if style.lookup_table:
            self.lookup_table = list(style.lookup_table)

    def picture(self, text: str) -> Image:
        style = self._style
        fg_color: Any = style.fg_color
        constants = {"weight", "fonts", "font_sizes", "lookup_table", "bg_color", "fg_color", *LIBRARY_ATTRIBUTES}
        if style.to_mapping().keys() <= constants:
            return self.generate_image(text, bg_color=style.bg_color, fg_color=fg_color)
        # What generate_image has for constants.
        random_color, draws = captcha.image.random_color, vars(captcha.image)["secrets"]
        background = style.bg_color or random_color(*style.bg_color_range)
        least, most = style.fg_opacity_range
        drawn = random_color(*style.fg_color_range, draws.randbelow(most - least + 1) + least)
        color: Any = style.fg_color or drawn
        image = self.create_captcha_image(text, color, background)
        self.create_noise_dots(image, color, style.noise_dots_width, style.noise_dots)
        for _ in range(style.noise_curves):
            self.create_noise_curve(image, color)
        return image.filter(SMOOTH)


class StockRenderer:
    """What `CaptchaRenderer` must equal. Not for threads: the library's source of draws is one for the process."""

    def __init__(self, spec: DatasetSpec, font_files: FontFiles = NO_FONTS) -> None:
        self._spec = spec
        self._libraries = [StyledCaptcha(spec.width, spec.height, style, font_files) for style in spec.styles]

    def render(self, split: str, index: int) -> tuple[NDArray[np.uint8], str]:
        spec = self._spec
        draws = Draws(sample_key(spec.seed, split, index))
        length = spec.min_length + draws.randbelow(spec.max_length - spec.min_length + 1)
        text = "".join(draws.choice(spec.alphabet) for _ in range(length))
        library = self._libraries[0]
        if len(self._libraries) > 1:
            library = draws.choice(
                [item for item, style in zip(self._libraries, spec.styles, strict=True) for _ in range(style.weight)]
            )
        with patch.object(captcha.image, "secrets", draws):
            return np.asarray(library.picture(text)), text
