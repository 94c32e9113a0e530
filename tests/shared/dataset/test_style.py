"""A style checks itself, keeps only what differs from the library, and comes back from its mapping."""

import json
from typing import Any

import pytest
from captcha.image import ImageCaptcha
from hypothesis import given

from shared.dataset.spec import DatasetSpec
from shared.dataset.style import DEFAULTS, FIELD_TYPES, Style
from shared.errors import UsageError
from tests.datagen_server.rendering.styles import library_styles
from tests.datagen_server.stock import LIBRARY_ATTRIBUTES


@given(library_styles())
def test_a_style_comes_back_from_its_mapping(style: Style) -> None:
    spec = DatasetSpec(styles=(style,))
    again = DatasetSpec.from_mapping(json.loads(json.dumps(spec.to_mapping())))
    assert again == spec
    assert again.digest() == spec.digest()


@given(library_styles(), library_styles())
def test_digests_are_equal_exactly_for_equal_styles(one: Style, other: Style) -> None:
    equal = DatasetSpec(styles=(one,)).digest() == DatasetSpec(styles=(other,)).digest()
    assert equal == (one == other)


def test_a_default_style_has_nothing_to_say() -> None:
    assert Style().to_mapping() == {}
    assert Style(character_warp_dx=(0.1, 0.3), noise_dots=30) == Style()
    assert DatasetSpec(styles=(Style(),)).digest() == DatasetSpec().digest()


def test_a_whole_number_is_the_same_number() -> None:
    assert Style(word_offset_dx=1) == Style(word_offset_dx=1.0)
    assert Style(word_offset_dx=1).to_mapping() == {"word_offset_dx": 1.0}


@pytest.mark.parametrize("name", LIBRARY_ATTRIBUTES)
def test_defaults_are_the_librarys(name: str) -> None:
    assert DEFAULTS[name] == getattr(ImageCaptcha, name)
    assert DEFAULTS["font_sizes"] == ImageCaptcha()._font_sizes


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"noise_dots": -1}, r"style noise_dots must be an integer in 0\.\.1000, got -1"),
    ({"noise_dots": 1.5}, r"style noise_dots must be an integer in 0\.\.1000, got 1\.5"),
    ({"noise_dots": True}, r"style noise_dots must be an integer in 0\.\.1000, got True"),
    ({"noise_dots": "30"}, "style noise_dots must be an integer"),
    ({"noise_dots_width": 0}, r"style noise_dots_width must be an integer in 1\.\.20, got 0"),
    ({"noise_curves": 101}, "style noise_curves must be an integer in 0..100, got 101"),
    ({"nois_dots": 3}, "a style has no key 'nois_dots'; did you mean noise_dots?"),
    ({"character_rotate": [30, -30]}, r"style character_rotate must be the least, then the most, got \[30, -30\]"),
    ({"character_rotate": 30}, "style character_rotate must be a list of two values, the least and the most, got 30"),
    (
        {"character_rotate": [0, 200]},
        r"each value of style character_rotate must be .* in -180\.\.180, got 200",
    ),
    ({"character_warp_dx": [0, 2.5]}, r"each value of style character_warp_dx must be a number in 0\.\.2, got 2\.5"),
    ({"character_warp_dy": [0, float("nan")]}, "each value of style character_warp_dy must be a number"),
    ({"character_offset_dx": [-1, 4]}, r"each value of style character_offset_dx must be an integer in 0\.\.100"),
    ({"word_space_probability": -0.5}, r"style word_space_probability must be a number in 0\.\.1, got -0\.5"),
    ({"word_space_probability": 1.01}, "style word_space_probability must be a number in 0..1"),
    ({"word_offset_dx": None}, r"style word_offset_dx must be a number in 0\.\.1, got None"),
    ({"font_sizes": []}, r"style font_sizes must be a list of 1\.\.32 values, got \[\]"),
    ({"font_sizes": [3]}, r"each value of style font_sizes must be an integer in 4\.\.256, got 3"),
    ({"font_sizes": 42}, "style font_sizes must be a list of"),
    (
        {"lookup_table": [0, 1]},
        "lookup_table must be 256 values of which the first is 0, got 2 that begin with 0",
    ),
    ({"lookup_table": [1] * 256}, "got 256 that begin with 1"),
    ({"bg_color": [1, 2]}, r"style bg_color must be a list of 3 values, got \[1, 2\]"),
    ({"bg_color": "white"}, "style bg_color must be a list of 3 values, got 'white'"),
    ({"bg_color_range": [0, 256]}, r"each value of style bg_color_range must be an integer in 0\.\.255, got 256"),
    ({"fg_color": [1, 2, 3, 0]}, r"style fg_color must have an opacity in 1\.\.255, got 0"),
    ({"fg_color": [1, 2, 3], "fg_color_range": [0, 9]}, "style fg_color and fg_color_range exclude each other"),
    ({"bg_color": [1, 2, 3], "background": "gradient"}, "style bg_color and background exclude each other"),
    ({"background": "clouds"}, "style background must be one of plain, gradient, texture, got 'clouds'"),
    ({"character_colors": 1}, "style character_colors must be true or false, got 1"),
    ({"weight": 0}, r"style weight must be an integer in 1\.\.1000000, got 0"),
    ({"fonts": ["A.ttf"]}, "a font must be a mapping of name and sha256, got 'A.ttf'"),
    ({"fonts": [{"name": "A.ttf"}]}, "a font must have a name and a sha256, got no sha256"),
    ({"fonts": [{"name": "A.ttf", "sha256": "0"}]}, "sha256 of font A.ttf must be 64 hex digits, got '0'"),
    ({"fonts": [{"name": "a/b", "sha256": "0" * 64}]}, "font name must be the name of a file, got 'a/b'"),
    ({"fonts": [{"name": "a", "sha256": "0" * 64}] * 2}, "style fonts must be distinct fonts, got a twice"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_an_impossible_style_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Style.from_mapping(values)


def test_every_parameter_has_a_type_that_takes_its_default() -> None:
    for name, kind in FIELD_TYPES.items():
        assert kind.check(name, DEFAULTS[name]) == DEFAULTS[name]
