"""The immutable description of a data set.

Note: split sizes are no part of `DatasetSpec`. A sample is a function of (spec, split name, index) alone, so
a split can grow without changing a single one of its samples.

`to_mapping` is a spec's identity: digests, manifests, checkpoints and messages are all made from it. Entries after the
first six are left out while they are at their defaults, so they change no older identity.
"""

import hashlib
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from shared.dataset.alphabet import check_alphabet
from shared.dataset.canonical_json import canonical_json
from shared.dataset.field_types import Integer, check_keys, shown
from shared.dataset.fit import Fit
from shared.dataset.fonts import Font
from shared.dataset.style import MAX_STYLES, Style
from shared.errors import UsageError

MAX_SPLIT_COUNT = 2**48
MAX_SEED = 2**64 - 1
_SPLIT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
MAX_LENGTH = 32
_SIDE = Integer(16, 1024)
_BASE = ("seed", "width", "height", "alphabet", "min_length", "max_length")
_DEFAULT_STYLES = (Style(),)


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What a captcha of this data set looks like. Checks itself; raises `UsageError` naming the field and its bound."""

    seed: int = 0
    "The root of all randomness of the samples, 0..2^64-1."
    width: int = 160
    "Pixels, 16..1024."
    height: int = 64
    "Pixels, 16..1024."
    alphabet: str = string.digits
    "Class i of a label is the i-th character; 1..8192 code points."
    min_length: int = 1
    "Fewest characters in a label."
    max_length: int = 4
    "Most characters in a label, at most 32."
    styles: tuple[Style, ...] = _DEFAULT_STYLES
    "How captchas are drawn, at most 64 ways; none: they are imported pictures, which nobody can render again."
    fit: Fit | None = None
    "How imported pictures were brought to the one size; None: they had it, or they are rendered."

    def __post_init__(self) -> None:
        for name, bound in (("seed", Integer(0, MAX_SEED)), ("width", _SIDE), ("height", _SIDE)):
            bound.check(name, getattr(self, name))
        Integer(1, MAX_LENGTH).check("max_length", self.max_length)
        Integer(1, self.max_length).check("min_length", self.min_length)
        object.__setattr__(self, "styles", _check_styles(self.styles))
        check_alphabet(self.alphabet, space_allowed=self.is_imported)
        if self.fit is not None and not isinstance(self.fit, Fit):
            object.__setattr__(self, "fit", Fit.from_mapping(self.fit))
        if self.fit is not None and not self.is_imported:
            raise UsageError("fit is for imported pictures, whose spec has no styles; leave it out")

    @property
    def is_imported(self) -> bool:
        """Whether the pictures came from elsewhere and cannot be rendered."""
        return not self.styles

    @property
    def fonts(self) -> tuple[Font, ...]:
        """Each font that a style names, once; the captcha library's own is not among them."""
        return tuple(dict.fromkeys(font for style in self.styles for font in style.fonts))

    @property
    def blank(self) -> int:
        """The class of the CTC blank: the one after the last character's."""
        return len(self.alphabet)

    @property
    def num_classes(self) -> int:
        """Characters and the blank."""
        return len(self.alphabet) + 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, 3): one image as uint8 RGB."""
        return (self.height, self.width, 3)

    @property
    def image_bytes(self) -> int:
        """Size of one raw image."""
        return self.height * self.width * 3

    def to_mapping(self) -> dict[str, Any]:
        """What `from_mapping` takes, ready for JSON: plain values, and nothing beyond the first six at its default."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _BASE}
        if self.styles != _DEFAULT_STYLES:
            values["styles"] = [style.to_mapping() for style in self.styles]
        if self.fit is not None:
            values["fit"] = self.fit.to_mapping()
        return values

    def canonical(self) -> bytes:
        """Bytes that are equal exactly for equal specs, on every machine and for ever: a line for each entry."""
        values = sorted(self.to_mapping().items())
        return "\n".join(f"{name}={_line(value)}" for name, value in values).encode()

    def digest(self) -> str:
        """SHA-256 of `canonical()`, in hex."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @classmethod
    def from_mapping(cls, values: object) -> Self:
        """The inverse of `to_mapping`; raises `UsageError` for unknown keys and impossible values."""
        if not isinstance(values, Mapping):
            raise UsageError(f"the description of a data set must be a mapping, got {shown(values)}")
        check_keys("the description of a data set", values, [item.name for item in fields(cls)])
        return cls(**values)


def _check_styles(styles: object) -> tuple[Style, ...]:
    if not isinstance(styles, list | tuple) or len(styles) > MAX_STYLES:
        raise UsageError(f"styles must be a list of at most {MAX_STYLES} styles, got {shown(styles)}")
    return tuple(style if isinstance(style, Style) else Style.from_mapping(style) for style in styles)


def _line(value: Any) -> str:
    """Of numbers and texts as Python writes them, of what is nested as canonical JSON."""
    return canonical_json(value) if isinstance(value, list | dict) else ascii(value)


DEFAULT_COUNTS: Mapping[str, int] = MappingProxyType({"train": 50_000, "test": 10_000})


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A spec, the sizes of its splits, and the fingerprint of whatever renders it: all that a reader must know."""

    spec: DatasetSpec
    counts: Mapping[str, int] = field(default_factory=lambda: DEFAULT_COUNTS)
    "Samples in each split, by name."
    fingerprint: str = ""
    "64 hex digits; equal fingerprints mean equal bytes."

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", MappingProxyType(dict(sorted(self.counts.items()))))
        if not self.counts:
            raise UsageError("a data set needs at least one split, got none")
        for name, count in self.counts.items():
            if not _SPLIT_NAME.fullmatch(name):
                raise UsageError(f"split name must match {_SPLIT_NAME.pattern}, got {name!r}")
            Integer(1, MAX_SPLIT_COUNT).check(f"count of split {name}", count)
