"""Predictions for every sample of a split, and the CTC loss of each truth.

On the CPU each core predicts batches of its own. Threads that share the work of one call wait for each other in every
frame: that costs a fifth more CPU time where other processes render meanwhile.

Note: samples go through the network `BATCH_SIZE` at a time however many travel in one message, so no figure depends on
the size of a message. The data set may be another one than the network was trained on: its images are then fitted to
the network's size.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluator.scores import EvaluatedBatch
from shared.client import DatasetClient
from shared.dataset.rank_slice import Remainder
from shared.dataset.spec import DatasetSpec
from shared.images.fit import fit_picture
from shared.protocol.batch import Batch, text_of
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.checkpoint_network import open_network
from shared.recogniser.ctc.ctc_decoding import decode_and_score
from shared.recogniser.device_name import Device
from shared.recogniser.image_reader import BATCH_SIZE
from shared.system.limits import num_cores

_MAX_THREADS = 8
"Each holds a batch, and what one stream brings does not keep more of them busy for long."
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class SplitPredictor:
    """The network of a checkpoint, for a data set whose characters it knows."""

    def __init__(self, checkpoint: Path, info: CheckpointInfo, served: DatasetSpec, device: Device) -> None:
        self.network, self._served = open_network(checkpoint, info, device, num_threads=1), served
        self._num_threads = min(num_cores(), _MAX_THREADS) if device == "cpu" else 1

    def predict_split(self, client: DatasetClient, split: str, batch_size: int) -> Iterator[EvaluatedBatch]:
        """Every sample of the split once, in its order; batch_size: samples in one message."""
        stream = client.stream(split, shuffle=False, global_batch_size=batch_size, remainder=Remainder.PAD)
        with stream as batches:
            yield from in_threads(self.predict, regrouped(batches, BATCH_SIZE), self._num_threads)

    def predict(self, batch: Batch) -> EvaluatedBatch:
        """Predictions and losses for 1..BATCH_SIZE samples; infinite losses for labels too long for the frames."""
        logits, alphabet = self.network.logits(self._fitted(batch.images)), self.network.alphabet
        truths = [text_of(label, self._served.alphabet) for label in batch.labels]
        predictions, losses = decode_and_score(logits, truths, alphabet)
        return EvaluatedBatch(
            indices=batch.indices, truths=truths, losses=losses.astype(np.float32), predictions=predictions
        )

    def _fitted(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The images in the size that the network wants."""
        width, height = self.network.image_size
        if images.shape[1:3] == (height, width):
            return images
        return np.stack([fit_picture(image, width, height, self.network.fit) for image in images])


def in_threads(function: Callable[[_In], _Out], items: Iterable[_In], num_threads: int) -> Iterator[_Out]:
    """The results of `function` in the order of `items`, by that many threads; with one, in the caller's own."""
    if num_threads == 1:
        yield from map(function, items)
        return
    results: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(num_threads, "predict") as threads:
        for item in items:
            results.append(threads.submit(function, item))
            if len(results) == 2 * num_threads:
                yield results.popleft().result()
        while results:
            yield results.popleft().result()


def regrouped(batches: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same samples in the same order, `size` at a time; the last group may be smaller."""
    held: list[Batch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) < size:
            continue
        whole = _joined(held)
        full = len(whole) // size * size
        for first in range(0, full, size):
            yield _part(whole, slice(first, first + size))
        held = [_part(whole, slice(full, None))]
    if sum(map(len, held)):
        yield _joined(held)


def _joined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        epoch=batches[0].epoch,
        step=batches[0].step,
        images=np.concatenate([batch.images for batch in batches]),
        labels=np.concatenate([batch.labels for batch in batches]),
        indices=np.concatenate([batch.indices for batch in batches]),
    )


def _part(batch: Batch, rows: slice) -> Batch:
    return Batch(
        epoch=batch.epoch,
        step=batch.step,
        images=batch.images[rows],
        labels=batch.labels[rows],
        indices=batch.indices[rows],
    )
