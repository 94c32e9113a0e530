"""In what two specs differ, in words short enough for a message whatever the specs hold."""

from typing import NamedTuple

from shared.dataset.field_types import shown
from shared.dataset.spec import DatasetSpec
from shared.dataset.style import FIELD_TYPES, Style


class Difference(NamedTuple):
    """A name, and what each spec has for it."""

    name: str
    one: str
    other: str


def spec_differences(one: DatasetSpec, other: DatasetSpec) -> list[Difference]:
    """All of them; of fonts with the same name the first, of several styles those of the first that differs."""
    names = [name for name in vars(one) if name != "styles"]
    found = [
        Difference(name, shown(getattr(one, name)), shown(getattr(other, name)))
        for name in names
        if getattr(one, name) != getattr(other, name)
    ]
    return found + _style_differences(one, other)


def _style_differences(one: DatasetSpec, other: DatasetSpec) -> list[Difference]:
    if one.styles == other.styles:
        return []
    others = {font.name: font.sha256 for font in other.fonts}
    for font in one.fonts:
        if others.get(font.name, font.sha256) != font.sha256:
            return [Difference(f"the bytes of font {font.name}", _short(font.sha256), _short(others[font.name]))]
    if len(one.styles) != len(other.styles):
        return [Difference("the number of styles", str(len(one.styles)), str(len(other.styles)))]
    pairs = zip(one.styles, other.styles, strict=True)
    first, its_other = next((style, its_other) for style, its_other in pairs if style != its_other)
    return [
        Difference(f"style {name}", _value(first, name), _value(its_other, name))
        for name in FIELD_TYPES
        if getattr(first, name) != getattr(its_other, name)
    ]


def _value(style: Style, name: str) -> str:
    value = getattr(style, name)
    return ", ".join(font.name for font in value) or "the library's own" if name == "fonts" else shown(value)


def _short(sha256: str) -> str:
    return f"SHA-256 {sha256[:16]}..."
