"""Whatever the style, a picture is the captcha library's with the same parameters and the same draws."""

import platform
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.glyphs import FONT_PATH, load_glyphs
from datagen_server.rendering.pictures.picture import Picture, quickest_picture
from datagen_server.rendering.pictures.pillow import PillowPicture
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.fonts import Font, FontFiles
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_options import RenderSpec
from shared.dataset.style import Style
from shared.errors import UsageError
from tests.datagen_server.rendering.styles import library_styles
from tests.datagen_server.stock import StockRenderer
from tests.support.fonts import chinese_characters, chinese_font, latin_fonts

ALPHABET = "0123456789abcdefgjlqyABCDEFGJQWÄÉß_|.%"


def assert_equals_the_library(spec: DatasetSpec, fonts: FontFiles, num_samples: int) -> None:
    library = StockRenderer(spec, fonts)
    pictures: set[type[Picture]] = {PillowPicture, quickest_picture()}
    ours = [CaptchaRenderer(spec, fonts, picture) for picture in pictures]
    for index in range(num_samples):
        expected, expected_text = library.render("train", index)
        for renderer in ours:
            pixels, text = renderer.render("train", index)
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


EXTRAS: dict[str, dict[str, Any]] = {
    "lines": {"noise_lines": 4, "noise_lines_width": 2},
    "colours": {"character_colors": True},
    "gradient": {"background": "gradient", "bg_color_range": [120, 255]},
    "texture": {"background": "texture", "bg_color_range": [120, 255]},
}


@pytest.mark.parametrize("values", EXTRAS.values(), ids=EXTRAS)
def test_what_the_library_has_not_shows_and_is_always_the_same(values: dict[str, Any]) -> None:
    spec = DatasetSpec(max_length=6, styles=(Style.from_mapping(values),))
    plain = CaptchaRenderer(DatasetSpec(max_length=6))
    ours, again = CaptchaRenderer(spec), CaptchaRenderer(spec)
    for index in range(10):
        pixels, text = ours.render("train", index)
        assert text == plain.text("train", index)
        assert np.array_equal(pixels, again.render("train", index)[0])
        assert not np.array_equal(pixels, plain.render("train", index)[0])


def test_lines_take_their_draws_after_all_else_of_the_picture() -> None:
    lines, plain = CaptchaRenderer(DatasetSpec(styles=(Style(noise_lines=1),))), CaptchaRenderer(DatasetSpec())
    for index in range(10):
        changed = (lines.render("train", index)[0] != plain.render("train", index)[0]).any(axis=2)
        assert 100 < changed.sum() < 1000


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines may round floating point otherwise")
@pytest.mark.parametrize(
    ("values", "digest"),
    [
        (EXTRAS["lines"], "cf9d9bf2daaa7942"),
        (EXTRAS["colours"], "01a686737c52d568"),
        (EXTRAS["gradient"], "d42f5cf42df0c33d"),
        (EXTRAS["texture"], "f7f650c60d590d68"),
    ],
    ids=EXTRAS,
)
def test_what_the_library_has_not_is_the_same_for_ever(values: dict[str, Any], digest: str) -> None:
    pixels, _ = CaptchaRenderer(DatasetSpec(styles=(Style.from_mapping(values),))).render("train", 0)
    assert sha256(pixels.data).hexdigest()[:16] == digest


def test_styles_come_by_their_weights() -> None:
    styles = tuple(Style(weight=weight, bg_color=(0, 0, level)) for level, weight in ((10, 1), (20, 3), (30, 6)))
    renderer = CaptchaRenderer(DatasetSpec(styles=styles))
    levels = [int(renderer.render("train", index)[0][0, 0, 2]) for index in range(600)]
    counts = {level: levels.count(level) for level in (10, 20, 30)}
    assert 30 < counts[10] < 90
    assert 140 < counts[20] < 220
    assert 310 < counts[30] < 410


def test_a_given_ink_colour_is_the_pictures() -> None:
    style = Style(bg_color=(255, 255, 255), fg_color=(0, 0, 0), noise_dots=0, noise_curves=0)
    pixels, _ = CaptchaRenderer(DatasetSpec(styles=(style,))).render("train", 0)
    assert (pixels == pixels[:, :, :1]).all()


def test_fonts_are_in_the_fingerprint_by_their_bytes(tmp_path: Path) -> None:
    prints = []
    for number in (1, 2):
        path = tmp_path / str(number) / "A.ttf"
        path.parent.mkdir()
        path.write_bytes(Path(FONT_PATH).read_bytes() + bytes(number))
        render_spec = fonts_of(path)
        prints.append(fingerprint(render_spec.spec, render_spec.font_files))
        assert prints[-1] == fingerprint(render_spec.spec, FontFiles.read([path]))
    assert prints[0] != prints[1]


def test_a_font_that_changed_or_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "A.ttf"
    path.write_bytes(Path(FONT_PATH).read_bytes())
    render_spec = fonts_of(path)
    with pytest.raises(UsageError, match=r"font A\.ttf of the data set \(SHA-256 .*\) is missing"):
        CaptchaRenderer(render_spec.spec)
    path.write_bytes(Path(FONT_PATH).read_bytes() + b"\0")
    with pytest.raises(UsageError, match=r"font .*A\.ttf has changed"):
        CaptchaRenderer(render_spec.spec, render_spec.font_files)


def test_only_so_many_glyphs_are_kept() -> None:
    cached: Any = load_glyphs(Style(font_sizes=(128, 256)), FontFiles()).glyph
    most = cached.cache_info().maxsize
    assert most * (128**2 + 256**2) / 2 <= 32 << 20
    for code in range(33, 1500):
        cached(chr(code), 1)
    assert cached.cache_info().currsize == most


def test_offsets_that_make_no_difference_share_their_ink() -> None:
    files = FontFiles.read(latin_fonts())
    style = Style(
        fonts=tuple(file.font for file in files.files), character_offset_dx=(0, 100), character_offset_dy=(0, 100)
    )
    glyphs = load_glyphs(style, files)
    for number in range(glyphs.num_fonts):
        for character in ALPHABET:
            inks = glyphs.glyph(character, number).inks
            assert len(inks) * len(inks[0]) < 100


def fonts_of(path: Path) -> RenderSpec:
    files = FontFiles.read([path])
    return RenderSpec.of(DatasetSpec(styles=(Style(fonts=(files.files[0].font,)),)), files)
