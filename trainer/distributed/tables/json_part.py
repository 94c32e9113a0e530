"""JSON files that people or generators write: each broken rule is named with its place in the file."""

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from shared.errors import UsageError

_MAX_DIGITS = 9


class _DuplicateKey(ValueError):
    """A key occurs twice in one JSON object."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: raises `ValueError` for a key that occurs twice in one object."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(f"the key {next(key for key in keys if keys.count(key) > 1)} occurs twice in one object")
    return values


@dataclass(frozen=True)
class Part:
    """A JSON object of the file and the path that leads to it."""

    file: str
    path: str
    values: Any

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise UsageError(f"{self.file}: {self.path or 'the table'} must be an object, got {_shown(self.values)}")

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raises the error for one key of this object."""
        raise UsageError(f"{self.file}: {self.path + '.' if self.path else ''}{key} {problem}")

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self.values.get(key)
        if key not in self.values:
            self.fail(key, "is missing")
        if not isinstance(value, str) or not value:
            self.fail(key, f"must be a non-empty string, got {_shown(value)}")
        return value

    def number(self, key: str) -> int:
        """A number written as a string."""
        text = self.text(key)
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
            self.fail(key, f"must be a number from 0 in quotes, got {_shown(text)}")
        return int(text)

    def address(self, key: str) -> str:
        """An IP address."""
        text = self.text(key)
        if not is_address(text):
            self.fail(key, f'must be an IP address, got "{text}"')
        return text

    def parts(self, key: str) -> "list[Part]":
        """The objects of a list that is not empty."""
        if key not in self.values:
            self.fail(key, "is missing")
        values = self.values[key]
        if not isinstance(values, list) or not values:
            self.fail(key, f"must be a non-empty list, got {_shown(values)}")
        prefix = f"{self.path}.{key}" if self.path else key
        return [Part(self.file, f"{prefix}[{number}]", value) for number, value in enumerate(values)]


def check_unique(entries: Iterable[tuple[Part, str, str]]) -> None:
    """Raises `UsageError` when two of (object, key, value) have the same value."""
    seen: dict[str, str] = {}
    for part, key, value in entries:
        if value in seen:
            part.fail(key, f'must be unique, got "{value}" again (also at {seen[value]})')
        seen[value] = f"{part.path}.{key}"


def is_address(text: str) -> bool:
    """Whether `text` is an IP address, version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
