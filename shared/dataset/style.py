"""How a captcha is drawn: the captcha library's parameters under its own names, and what real captchas have beside.

Note: a style's mapping holds only what differs from the library's defaults. So a parameter that is added
later leaves the identity of every data set as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from shared.dataset.field_types import (
    Choice,
    FieldType,
    Flag,
    Integer,
    Number,
    Optional,
    Several,
    Span,
    check_keys,
    shown,
)
from shared.dataset.fonts import Font, FontList
from shared.errors import UsageError

MAX_STYLES = 64
_TYPE = "type"
_LEVEL = Integer(0, 255)
_OFFSET = Integer(0, 100)
_WARP = Number(0, 2)
_STROKE = Integer(1, 20)


def _parameter(default: Any, kind: FieldType) -> Any:
    return field(default=default, metadata={_TYPE: kind})


@dataclass(frozen=True, kw_only=True)
class Style:
    """One way to draw. Every default is the captcha library's. Checks itself; raises `UsageError` naming the field."""

    weight: int = _parameter(1, Integer(1, 1_000_000))
    "How often, beside the other styles of the spec."

    fonts: tuple[Font, ...] = _parameter((), FontList())
    "One is drawn for each character; none: the library's own font, DroidSansMono."
    font_sizes: tuple[int, ...] = _parameter((42, 50, 56), Several(Integer(4, 256), 1, 32))
    "Pixels; one is drawn for each character."
    character_offset_dx: tuple[int, int] = _parameter((0, 4), Span(_OFFSET))
    "Pixels: least and most."
    character_offset_dy: tuple[int, int] = _parameter((0, 6), Span(_OFFSET))
    "Pixels: least and most. It shows only where a glyph reaches above its font's ascender."
    character_rotate: tuple[int, int] = _parameter((-30, 30), Span(Integer(-180, 180)))
    "Degrees, counter-clockwise: least and most."
    character_warp_dx: tuple[float, float] = _parameter((0.1, 0.3), Span(_WARP))
    "How far the corners move, as shares of the character's width: least and most."
    character_warp_dy: tuple[float, float] = _parameter((0.2, 0.3), Span(_WARP))
    "How far the corners move, as shares of the character's height: least and most."
    word_space_probability: float = _parameter(0.5, Number(0, 1))
    "Of no space before a character: the library's meaning of it."
    word_offset_dx: float = _parameter(0.25, Number(0, 1))
    "How much of a character the next one may cover."
    lookup_table: tuple[int, ...] = _parameter((), Several(Integer(0, 1000), 0, 256))
    "How strongly a glyph covers what is below it, by its brightness: 256 values, the first 0; none: int(i * 1.97)."

    bg_color: tuple[int, int, int] | None = _parameter(None, Optional(Several(_LEVEL, 3, 3)))
    "Red, green, blue of the background; none: drawn."
    bg_color_range: tuple[int, int] = _parameter((238, 255), Span(_LEVEL))
    "What red, green and blue of the background are drawn from."
    fg_color: tuple[int, ...] | None = _parameter(None, Optional(Several(_LEVEL, 3, 4)))
    "Red, green, blue, and opacity when it is not 255, of characters and noise; none: drawn."
    fg_color_range: tuple[int, int] = _parameter((10, 200), Span(_LEVEL))
    "What red, green and blue of characters and noise are drawn from."
    fg_opacity_range: tuple[int, int] = _parameter((220, 255), Span(Integer(1, 255)))
    "What the opacity of characters is drawn from."

    noise_dots: int = _parameter(30, Integer(0, 1000))
    "How many."
    noise_dots_width: int = _parameter(3, _STROKE)
    "Pixels."
    noise_curves: int = _parameter(1, Integer(0, 100))
    "How many arcs, of one pixel."

    # What the library has not.
    noise_lines: int = _parameter(0, Integer(0, 100))
    "How many straight lines from the left edge to the right."
    noise_lines_width: int = _parameter(1, _STROKE)
    "Pixels."
    character_colors: bool = _parameter(False, Flag())
    "A colour for each character, from fg_color_range, instead of one for all; the noise keeps its own."
    background: str = _parameter("plain", Choice(("plain", "gradient", "texture")))
    "gradient: from one colour to another; texture: a soft pattern of many. All from bg_color_range."

    def __post_init__(self) -> None:
        for name, kind in FIELD_TYPES.items():
            object.__setattr__(self, name, kind.check(f"style {name}", getattr(self, name)))
        if self.lookup_table and (len(self.lookup_table) != 256 or self.lookup_table[0]):
            problem = f"{len(self.lookup_table)} that begin with {self.lookup_table[0]}"
            raise UsageError(f"style lookup_table must be 256 values of which the first is 0, got {problem}")
        if self.fg_color is not None and not all(self.fg_color[3:]):
            raise UsageError("style fg_color must have an opacity in 1..255, got 0")
        for given, unused in _EXCLUSIVE:
            if getattr(self, given) != DEFAULTS[given] and getattr(self, unused) != DEFAULTS[unused]:
                raise UsageError(f"style {given} and {unused} exclude each other; leave one of them out")

    def to_mapping(self) -> dict[str, Any]:
        """What differs from the defaults, ready for JSON."""
        changed = {name: getattr(self, name) for name in FIELD_TYPES if getattr(self, name) != DEFAULTS[name]}
        return {name: _plain(value) for name, value in changed.items()}

    @classmethod
    def from_mapping(cls, values: object) -> Self:
        """The inverse of `to_mapping`; raises `UsageError` for unknown keys and impossible values."""
        if not isinstance(values, Mapping):
            raise UsageError(f"a style must be a mapping of its parameters, got {shown(values)}")
        check_keys("a style", values, FIELD_TYPES)
        return cls(**values)


FIELD_TYPES: Mapping[str, FieldType] = {item.name: item.metadata[_TYPE] for item in fields(Style)}
DEFAULTS: Mapping[str, Any] = {item.name: item.default for item in fields(Style)}
_EXCLUSIVE = (
    ("bg_color", "bg_color_range"),
    ("bg_color", "background"),
    ("fg_color", "fg_color_range"),
    ("fg_color", "fg_opacity_range"),
    ("fg_color", "character_colors"),
)


def _plain(value: Any) -> Any:
    if isinstance(value, Font):
        return {"name": value.name, "sha256": value.sha256}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
