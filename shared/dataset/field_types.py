"""What the fields of a spec may hold: each kind checks a value, whoever it came from, and gives it its one form.

The one form matters: equal specs must have equal digests, so a list becomes a tuple and the number 1 becomes 1.0 where
numbers need not be whole.
"""

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from shared.errors import UsageError

_LONGEST = 60


class FieldType(Protocol):
    """A kind of value."""

    def check(self, name: str, value: Any) -> Any:
        """The value in its one form; raises `UsageError` with the field's name, the bound and what was got."""
        ...


@dataclass(frozen=True)
class Integer:
    """A whole number in low..high."""

    low: int
    high: int

    def check(self, name: str, value: Any) -> int:
        """See `FieldType`."""
        if type(value) is not int or not self.low <= value <= self.high:
            raise UsageError(f"{name} must be {self}, got {shown(value)}")
        return value

    def __str__(self) -> str:
        return f"an integer in {self.low}..{self.high}"


@dataclass(frozen=True)
class Number:
    """A finite number in low..high, as float."""

    low: float
    high: float

    def check(self, name: str, value: Any) -> float:
        """See `FieldType`."""
        if type(value) not in (int, float) or not math.isfinite(value) or not self.low <= value <= self.high:
            raise UsageError(f"{name} must be {self}, got {shown(value)}")
        return float(value) + 0.0  # -0.0 is 0.0

    def __str__(self) -> str:
        return f"a number in {self.low:g}..{self.high:g}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def check(self, name: str, value: Any) -> bool:
        """See `FieldType`."""
        if type(value) is not bool:
            raise UsageError(f"{name} must be true or false, got {shown(value)}")
        return value


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        """See `FieldType`."""
        if not isinstance(value, str) or value not in self.words:
            raise UsageError(f"{name} must be one of {', '.join(self.words)}, got {shown(value)}")
        return value


@dataclass(frozen=True)
class Several:
    """Between `fewest` and `most` values of one kind."""

    of: Integer | Number
    fewest: int
    most: int

    def check(self, name: str, value: Any) -> tuple[Any, ...]:
        """See `FieldType`."""
        num = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest}..{self.most}"
        if not isinstance(value, list | tuple) or not self.fewest <= len(value) <= self.most:
            raise UsageError(f"{name} must be a list of {num} values, got {shown(value)}")
        return tuple(self.of.check(f"each value of {name}", item) for item in value)


@dataclass(frozen=True)
class Span:
    """Least and most, both included."""

    of: Integer | Number

    def check(self, name: str, value: Any) -> tuple[Any, Any]:
        """See `FieldType`."""
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise UsageError(f"{name} must be a list of two values, the least and the most, got {shown(value)}")
        low, high = (self.of.check(f"each value of {name}", item) for item in value)
        if low > high:
            raise UsageError(f"{name} must be the least, then the most, got {shown(value)}")
        return low, high


@dataclass(frozen=True)
class Optional:
    """A value of another kind, or none."""

    of: FieldType

    def check(self, name: str, value: Any) -> Any:
        """See `FieldType`."""
        return None if value is None else self.of.check(name, value)


def shown(value: object) -> str:
    """A value as a message shows it: not longer than a line."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def check_keys(what: str, keys: Iterable[object], known: Iterable[str]) -> None:
    """Raises `UsageError` for the first key that is not known, with the nearest that is."""
    names = list(known)
    for key in keys:
        if key not in names:
            nearest = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(names)}"
            raise UsageError(f"{what} has no key {shown(key)}; {hint}")
