"""Samples for people to look at, from the same source that streams are served from, with little effect on the streams.

Each sample is read on its own, so that a damaged one is shown as damaged beside intact ones. At most two pages are read
at a time: a person who clicks fast, or in many windows, waits, and the trainers do not.
"""

import threading
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from time import monotonic

import numpy as np

from datagen_server.sources.sample_source import Records, SampleSource
from shared.errors import DataLoss, Unavailable
from shared.protocol.batch import text_of
from shared.protocol.codec import Codec

_PAGES_AT_ONCE = 2
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class ShownSample:
    """A sample, or what is wrong with it."""

    index: int
    text: str = ""
    png: str = ""
    "As a data: URI."
    problem: str = ""


class SampleReader:
    """Reads samples from `source` for any number of threads."""

    def __init__(self, source: SampleSource) -> None:
        self._source = source
        self._places = threading.BoundedSemaphore(_PAGES_AT_ONCE)

    def read(self, split: str, indices: Sequence[int]) -> list[ShownSample]:
        """Some samples of a split; raises `Unavailable` when the source is too busy to give them in time."""
        deadline = monotonic() + _TIMEOUT_S
        if not self._places.acquire(timeout=_TIMEOUT_S):
            raise Unavailable("other pages of samples are being read; try again")
        try:
            return self._read(split, indices, deadline)
        finally:
            self._places.release()

    def _read(self, split: str, indices: Sequence[int], deadline: float) -> list[ShownSample]:
        reads = [self._source.read(split, np.array([index], np.uint64), Codec.PNG) for index in indices]
        try:
            return [self._shown(index, read, deadline) for index, read in zip(indices, reads, strict=True)]
        except TookTooLong as error:
            raise Unavailable(f"no samples within {_TIMEOUT_S:g} s: streams come first; try again") from error
        finally:
            for read in reads:
                read.cancel()

    def _shown(self, index: int, read: "Future[Records]", deadline: float) -> ShownSample:
        try:
            records = read.result(max(0.0, deadline - monotonic()))
        except DataLoss as error:
            return ShownSample(index, problem=str(error))
        png = b64encode(b"".join(records.payloads)).decode()
        text = text_of(records.labels[0], self._source.dataset.spec.alphabet)
        return ShownSample(index, text, f"data:image/png;base64,{png}")
