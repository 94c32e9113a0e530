"""The query string of the sample browser, checked: an error names the key.

Note: a number is not read by `int` alone, which accepts " 7", "+7", "1_000" and digits of other scripts. Here each
number has one spelling.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from shared.dataset.spec import Dataset
from shared.errors import InvalidRequest
from shared.page.web_app import shown, single_values
from shared.protocol.request import count_of

PAGE_SIZE = 24
MAX_PAGE_SIZE = 48
_MAX_INDEX = 10**15 - 1
_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class SamplesQuery:
    """Which samples to show: `count` of them from index `first`, fewer at the end of the split."""

    split: str
    first: int
    count: int
    num_samples: int
    "In the split."
    asked_first: int
    "`first` as it was asked for; past the end of the split, the last page is shown instead."
    label: str = ""
    "When given: only samples whose text contains this."
    is_random: bool = False
    "Whether any sample of the split will do as the first."

    @classmethod
    def parse(cls, query: MultiDict[str, str], dataset: Dataset) -> Self:
        """Raises `InvalidRequest` or `NotFound`, naming the key; without a split it is the first one."""
        values = single_values(query, ("split", "first", "count", "label", "random"))
        split = values.get("split", next(iter(dataset.counts)))
        num_samples, count = count_of(dataset, split), _number(values, "count", PAGE_SIZE, 1, MAX_PAGE_SIZE)
        asked = _number(values, "first", 0, 0, _MAX_INDEX)
        first = asked if asked < num_samples else max(0, num_samples - count)
        is_random = _number(values, "random", 0, 0, 1) == 1
        return cls(split, first, count, num_samples, asked, _label(values, dataset), is_random)

    @property
    def indices(self) -> range:
        """Within the split."""
        return range(self.first, min(self.first + self.count, self.num_samples))

    @property
    def is_past_end(self) -> bool:
        """Whether samples were asked for that the split does not have."""
        return self.asked_first != self.first

    @property
    def previous(self) -> int | None:
        """First index of the page before, if there is one."""
        return max(0, self.first - self.count) if self.first else None

    @property
    def next(self) -> int | None:
        """First index of the page after, if there is one."""
        return self.indices.stop if self.indices.stop < self.num_samples else None

    def address(self, first: int, count: int | None = None, label: str = "") -> str:
        """The address of a page of the same split; without a label, of neighbouring samples."""
        values = {"split": self.split, "first": first, "count": count or self.count}
        return f"/samples?{urlencode(values | ({'label': label} if label else {}))}"


def _number(values: dict[str, str], key: str, default: int, low: int, high: int) -> int:
    text = values.get(key, str(default))
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise InvalidRequest(key, f"must be a number in {low}..{high}, got {shown(text)}")
    return int(text)


def _label(values: dict[str, str], dataset: Dataset) -> str:
    text, spec = values.get("label", ""), dataset.spec
    if len(text) > spec.max_length or not set(text) <= set(spec.alphabet):
        expected = f"up to {spec.max_length} characters of the data set's alphabet"
        raise InvalidRequest("label", f"must be {expected}, got {shown(text)}")
    return text
