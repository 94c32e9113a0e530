"""A data set that costs nothing, for tests of everything but rendering: samples computed from (split, index)."""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from datagen_server.sources.sample_source import DamageCounts
from shared.dataset.seeding import sample_key
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.batch import Batch, Records
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode

TOY_SPEC = DatasetSpec(width=24, height=16)
TOY_COUNTS: Mapping[str, int] = {"train": 1000, "test": 130}
TOY_FINGERPRINT = "0123456789abcdef" * 4


class ToySource:
    """A `SampleSource` whose reads take `delay_s`; `num_cancelled` tells how many were cancelled before they began."""

    codecs: tuple[Codec, ...] = tuple(Codec)
    kind = "toy"
    is_rendered = False

    def __init__(
        self, spec: DatasetSpec = TOY_SPEC, counts: Mapping[str, int] = TOY_COUNTS, delay_s: float = 0.0
    ) -> None:
        self.dataset = Dataset(spec=spec, counts=counts, fingerprint=TOY_FINGERPRINT)
        self.damage = DamageCounts()
        self._delay_s = delay_s
        self._pool = ThreadPoolExecutor(1, "toy")
        self.reads: list[int] = []
        "Samples in each read that was asked for."
        self.num_cancelled = 0

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Future[Records]:
        """Starts computing."""
        self.reads.append(len(indices))
        future = self._pool.submit(self._compute, split, indices, codec)
        future.add_done_callback(self._count)
        return future

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(cancel_futures=True)

    def _count(self, future: "Future[Records]") -> None:
        self.num_cancelled += future.cancelled()

    def _compute(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Records:
        time.sleep(self._delay_s)
        images, labels = toy_samples(self.dataset.spec, split, indices)
        payloads = [encode(image, codec) for image in images]
        sizes = [] if codec is Codec.RAW else [len(payload) for payload in payloads]
        return Records(codec, payloads, np.array(sizes, np.uint32), labels)


def toy_samples(
    spec: DatasetSpec, split: str, indices: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Images uint8 [n, height, width, 3] and labels uint16 [n, max_length] of the toy data set."""
    images = np.empty((len(indices), *spec.image_shape), np.uint8)
    labels = np.full((len(indices), spec.max_length), spec.blank, np.uint16)
    for image, label, index in zip(images, labels, indices.tolist(), strict=True):
        key = sample_key(spec.seed, split, index)
        image[:] = np.resize(np.frombuffer(key.to_bytes(32, "little"), np.uint8), spec.image_shape)
        label[: 1 + key % spec.max_length] = key % len(spec.alphabet)
    return images, labels


def same_as_toy(batch: Batch, spec: DatasetSpec, split: str) -> bool:
    """Whether a batch holds the toy samples of its indices."""
    images, labels = toy_samples(spec, split, batch.indices)
    return np.array_equal(images, batch.images) and np.array_equal(labels, batch.labels)
