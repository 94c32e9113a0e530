"""A source whose reads are timed: a histogram of the seconds from the request to the result."""

from concurrent.futures import Future
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Histogram

from datagen_server.sources.sample_source import Records, SampleSource
from shared.protocol.codec import Codec

_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class TimedSource:
    """A `SampleSource` that passes every call on to `source`, except `close`."""

    def __init__(self, source: SampleSource, registry: CollectorRegistry) -> None:
        self._source = source
        self.dataset, self.codecs, self.kind = source.dataset, source.codecs, source.kind
        self.is_rendered, self.damage = source.is_rendered, source.damage
        verb, text = ("render", "rendering") if source.is_rendered else ("read", "reading")
        help_text = f"Seconds of {text} one batch, from the request to the result; waiting for other batches included."
        self._seconds = Histogram(f"captcha_{verb}_seconds", help_text, buckets=_BUCKETS, registry=registry)

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """See `SampleSource`."""
        started = perf_counter()
        future = self._source.read(split, indices, codec)

        def observe(done: "Future[Records]") -> None:
            if not done.cancelled():
                self._seconds.observe(perf_counter() - started)

        future.add_done_callback(observe)
        return future

    def close(self) -> None:
        """Does nothing: the code that opened the source closes it."""
