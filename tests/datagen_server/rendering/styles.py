"""Random styles: what the captcha library can do, and beyond."""

from typing import Any

from hypothesis import strategies as st

from shared.dataset.fonts import Font
from shared.dataset.style import Style


def _span(least: int, most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(least, most), min_size=2, max_size=2).map(sorted)


def _numbers(most: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(0, most), min_size=2, max_size=2).map(sorted)


_LEVELS = st.integers(0, 255)
_TABLES = st.one_of(
    st.floats(0.2, 3.5).map(lambda slope: [int(value * slope) for value in range(256)]),
    st.lists(st.integers(0, 300), min_size=255, max_size=255).map(lambda values: [0, *values]),
)
_LIBRARY: dict[str, st.SearchStrategy[Any]] = {
    "font_sizes": st.lists(st.integers(8, 90), min_size=1, max_size=4),
    "character_offset_dx": _span(0, 30),
    "character_offset_dy": _span(0, 30),
    "character_rotate": st.one_of(_span(-180, 180), st.sampled_from([0, 90, -90, 180]).map(lambda value: [value] * 2)),
    "character_warp_dx": st.one_of(_numbers(1.0), st.just([0.0, 0.0])),
    "character_warp_dy": st.one_of(_numbers(1.0), st.just([0.0, 0.0])),
    "word_space_probability": st.floats(0, 1),
    "word_offset_dx": st.floats(0, 1),
    "lookup_table": _TABLES,
    "noise_dots": st.integers(0, 120),
    "noise_dots_width": st.integers(1, 20),
    "noise_curves": st.integers(0, 5),
}
_BACKGROUNDS: list[dict[str, st.SearchStrategy[Any]]] = [
    {"bg_color": st.lists(_LEVELS, min_size=3, max_size=3)},
    {"bg_color_range": _span(0, 255)},
]
_INKS: list[dict[str, st.SearchStrategy[Any]]] = [
    {"fg_color": st.lists(st.integers(1, 255), min_size=3, max_size=4)},
    {"fg_color_range": _span(0, 255), "fg_opacity_range": _span(1, 255)},
]


@st.composite
def library_styles(draw: st.DrawFn, fonts: tuple[Font, ...] = ()) -> Style:
    """Styles that the captcha library can do."""
    names = draw(st.sets(st.sampled_from(sorted(_LIBRARY)), min_size=1))
    values = {name: draw(_LIBRARY[name]) for name in sorted(names)}
    for group in (draw(st.sampled_from([{}, *_BACKGROUNDS])), draw(st.sampled_from([{}, *_INKS]))):
        values.update({name: draw(strategy) for name, strategy in group.items()})
    if fonts:
        values["fonts"] = draw(st.lists(st.sampled_from(fonts), unique=True, max_size=3))
    return Style.from_mapping({"weight": draw(st.integers(1, 5)), **values})
