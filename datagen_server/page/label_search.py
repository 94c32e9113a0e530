"""Looks for samples whose text contains some characters, for a limited time; the next search goes on where it ended.

Texts of rendered samples are drawn without their pictures, some ten thousand a second; stored ones are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from datagen_server.page.query_string import SamplesQuery
from datagen_server.rendering.renderer import sample_text
from datagen_server.sources.sample_source import SampleSource
from shared.errors import DataLoss
from shared.protocol.batch import text_of

_TIME_S = 3.0
_CHUNK = 256


@dataclass(frozen=True)
class FoundSamples:
    """What a search found."""

    indices: Sequence[int]
    stop: int
    "The index before which all samples were looked at."


class LabelSearch:
    """Searches the splits of `source`, for any number of threads."""

    def __init__(self, source: SampleSource, time_s: float = _TIME_S) -> None:
        self._source, self._time_s = source, time_s

    def find(self, query: SamplesQuery) -> FoundSamples:
        """The first `query.count` samples from `query.first` on whose text contains `query.label`."""
        found: list[int] = []
        deadline, first = monotonic() + self._time_s, query.first
        while first < query.num_samples and monotonic() < deadline:
            chunk = range(first, min(first + _CHUNK, query.num_samples))
            for index, text in zip(chunk, self._texts(query.split, chunk), strict=True):
                if query.label in text:
                    found.append(index)
                if len(found) == query.count:
                    return FoundSamples(found, index + 1)
            first = chunk.stop
        return FoundSamples(found, first)

    def _texts(self, split: str, indices: range) -> list[str]:
        """An empty text for a sample that is damaged."""
        if self._source.is_rendered:
            return [sample_text(self._source.dataset.spec, split, index) for index in indices]
        try:
            return self._read(split, indices)
        except DataLoss:
            return [text for index in indices for text in self._read_one(split, index)]

    def _read_one(self, split: str, index: int) -> list[str]:
        try:
            return self._read(split, range(index, index + 1))
        except DataLoss:
            return [""]

    def _read(self, split: str, indices: range) -> list[str]:
        records = self._source.read(split, np.array(indices, np.uint64), self._source.codecs[0]).result()
        return [text_of(label, self._source.dataset.spec.alphabet) for label in records.labels]
