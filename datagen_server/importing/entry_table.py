"""Everything that the sources of an import list, and what is known of each picture, as columns.

An entry is called by its number, in the order of listing. Memory is some 500 bytes for each, with what its source keeps
of it; the pixels are in `Scratch`.
"""

from array import array
from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from datagen_server.importing.picture_rows import DIGEST, PICTURE, Rows
from datagen_server.importing.sources.reasons import Reason

Entry = tuple[str, str | None, str, Reason | None, str]
"A `PictureEntry` with the label and the split that are wanted. A plain tuple, because there are millions."


class EntryTable:
    """To be used by one thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        "Of the pictures, within their sources."
        self.labels: list[str] = []
        "As they are wanted."
        self.splits: list[str | None] = []
        self.sources = array("I")
        "Numbers of the sources."
        self.reasons: list[Reason | None] = []
        "Why an entry is skipped; None: it is not, so far."
        self.details: dict[int, str] = {}
        "What a person should know of that, by entry."
        self.files: NDArray[np.bytes_] = np.empty(0, DIGEST)
        "[n] digests of the files, once all are listed; zeros where there is none."
        self.pictures: Rows = np.empty(0, PICTURE)
        "[n] what is in each file, once all were looked at; zeros where there is no picture."

    def __len__(self) -> int:
        return len(self.names)

    def add(self, source: int, entries: Iterable[Entry]) -> None:
        """Appends the entries of one source."""
        first = len(self)
        for name, split, label, reason, detail in entries:
            if reason is not None:
                self.details[len(self.names)] = detail
            self.names.append(name)
            self.splits.append(split)
            self.labels.append(label)
            self.reasons.append(reason)
        self.sources.extend(repeat(source, len(self) - first))
        self.files = np.zeros(len(self), DIGEST)

    def skip(self, entry: int, reason: Reason, detail: str) -> None:
        """Notes why an entry is not taken."""
        self.reasons[entry] = reason
        self.details[entry] = detail

    def left(self) -> Iterator[int]:
        """The entries that are not skipped so far."""
        return (number for number, reason in enumerate(self.reasons) if reason is None)

    def order_of(self, entry: int) -> tuple[str, int, int]:
        """A key that sorts entries by name: the same whatever the order of listing."""
        return self.names[entry], self.sources[entry], entry
