"""Query strings, checked: each known key at most once, each number within its bounds; an error names the key.

Note: a number is not read by `int` alone, which accepts " 7", "+7", "1_000" and digits of other scripts. Here each
number has one spelling.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from werkzeug.datastructures import MultiDict

from shared.dataset.spec import Dataset
from shared.errors import InvalidRequest
from shared.protocol.request import count_of

PAGE_SIZE = 24
MAX_PAGE_SIZE = 48
_NUMBER = re.compile(r"[0-9]{1,15}")
_LONGEST_ECHO = 40


def single_values(query: MultiDict[str, str], known: Collection[str]) -> dict[str, str]:
    """The values by key; raises `InvalidRequest` for a key that is unknown or comes twice."""
    for key, values in query.lists():
        if key not in known:
            expected = f"only {', '.join(known)}" if known else "none"
            raise InvalidRequest("query", f"may have {expected} for a key, got {_shown(key)}")
        if len(values) > 1:
            raise InvalidRequest(key, f"must be given once, got it {len(values)} times")
    return query.to_dict()


@dataclass(frozen=True)
class SamplesQuery:
    """Which samples to show: `count` of them from index `first`, fewer at the end of the split."""

    split: str
    first: int
    count: int
    num_samples: int
    "In the split."

    @classmethod
    def parse(cls, query: MultiDict[str, str], dataset: Dataset) -> Self:
        """Raises `InvalidRequest` or `NotFound`, naming the key; without a split it is the first one."""
        values = single_values(query, ("split", "first", "count"))
        split = values.get("split", next(iter(dataset.counts)))
        num_samples = count_of(dataset, split)
        first = _number(values, "first", 0, 0, num_samples - 1)
        return cls(split, first, _number(values, "count", PAGE_SIZE, 1, MAX_PAGE_SIZE), num_samples)

    @property
    def indices(self) -> range:
        """Within the split."""
        return range(self.first, min(self.first + self.count, self.num_samples))

    @property
    def previous(self) -> int | None:
        """First index of the page before, if there is one."""
        return max(0, self.first - self.count) if self.first else None

    @property
    def next(self) -> int | None:
        """First index of the page after, if there is one."""
        return self.indices.stop if self.indices.stop < self.num_samples else None


def _number(values: dict[str, str], key: str, default: int, low: int, high: int) -> int:
    text = values.get(key, str(default))
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise InvalidRequest(key, f"must be a number in {low}..{high}, got {_shown(text)}")
    return int(text)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}...")
