"""Whatever the style, a picture is the captcha library's with the same parameters and the same draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.fonts import Font, FontFiles
from shared.dataset.seeding import Draws
from shared.dataset.spec import DatasetSpec
from shared.dataset.style import Style
from tests.datagen_server.rendering.styles import library_styles
from tests.datagen_server.stock import StockRenderer
from tests.fonts import chinese_characters, chinese_font, latin_fonts

ALPHABET = "0123456789abcdefgjlqyABCDEFGJQWÄÉß_|.%"


def assert_equals_the_library(spec: DatasetSpec, fonts: FontFiles, num_samples: int) -> None:
    ours, library = CaptchaRenderer(spec, fonts), StockRenderer(spec, fonts)
    for index in range(num_samples):
        (pixels, text), (expected, expected_text) = ours.render("train", index), library.render("train", index)
        assert text == expected_text
        assert np.array_equal(pixels, expected), f"sample {index} of {spec}"


@st.composite
def specs(draw: st.DrawFn, fonts: tuple[Font, ...], num_styles: int) -> DatasetSpec:
    return DatasetSpec(
        seed=draw(st.integers(0, 2**64 - 1)),
        width=draw(st.integers(16, 200)),
        height=draw(st.integers(16, 90)),
        alphabet=ALPHABET,
        max_length=draw(st.integers(1, 6)),
        styles=tuple(draw(st.lists(library_styles(fonts), min_size=1, max_size=num_styles))),
    )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_pictures_of_any_style_are_the_librarys(data: st.DataObject) -> None:
    files = FontFiles.read(latin_fonts())
    assert_equals_the_library(data.draw(specs(tuple(file.font for file in files.files), 2)), files, 3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_pictures_of_300_styles_are_the_librarys() -> None:
    files, seen = FontFiles.read(latin_fonts()), set()

    @settings(max_examples=450, deadline=None)
    @given(specs(tuple(file.font for file in files.files), 1))
    def check(spec: DatasetSpec) -> None:
        assert_equals_the_library(spec, files, 20)
        seen.add(spec.styles)

    check()
    assert len(seen) >= 300
    print(f"{len(seen)} random styles x 20 pictures: every pixel the library's")


def test_chinese_pictures_are_the_librarys() -> None:
    files = FontFiles.read([chinese_font()])
    styles = (Style(fonts=(files.files[0].font,)),)
    spec = DatasetSpec(width=240, alphabet=chinese_characters(3500), min_length=4, max_length=6, styles=styles)
    assert_equals_the_library(spec, files, 60)


