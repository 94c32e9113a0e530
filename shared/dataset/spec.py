"""The immutable description of a data set.

What surprises: split sizes are no part of `DatasetSpec`. A sample is a function of (spec, split name, index) alone, so
a split can grow without changing a single one of its samples.
"""

import hashlib
import re
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Self

from shared.errors import UsageError

MAX_SPLIT_COUNT = 2**48
MAX_SEED = 2**64 - 1
_SPLIT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PRINTABLE = frozenset(string.digits + string.ascii_letters + string.punctuation)


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
    "Class i of a label is the i-th character."
    min_length: int = 1
    "Fewest characters in a label."
    max_length: int = 4
    "Most characters in a label, at most 16."

    def __post_init__(self) -> None:
        _check_range("seed", self.seed, 0, MAX_SEED)
        _check_range("width", self.width, 16, 1024)
        _check_range("height", self.height, 16, 1024)
        _check_range("max_length", self.max_length, 1, 16)
        _check_range("min_length", self.min_length, 1, self.max_length)
        if not 2 <= len(self.alphabet) <= 128 or len(set(self.alphabet)) != len(self.alphabet):
            raise UsageError(f"alphabet must be 2..128 distinct characters, got {self.alphabet!r}")
        if strange := set(self.alphabet) - _PRINTABLE:
            raise UsageError(f"alphabet must be printable ASCII without spaces, got {''.join(sorted(strange))!r}")

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

    def canonical(self) -> bytes:
        """Bytes that are equal exactly for equal specs, on every machine and for ever."""
        return "\n".join(f"{name}={value!r}" for name, value in sorted(asdict(self).items())).encode()

    def digest(self) -> str:
        """SHA-256 of `canonical()`, in hex."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def to_mapping(self) -> dict[str, Any]:
        """What `from_mapping` takes, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The spec that `to_mapping` turned into `values`; raises `UsageError` for unknown or missing keys."""
        try:
            return cls(**values)
        except TypeError as error:
            raise UsageError(f"not the description of a data set: {error}") from error


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
            _check_range(f"count of split {name}", count, 1, MAX_SPLIT_COUNT)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UsageError(f"{name} must be an integer in {low}..{high}, got {value!r}")
