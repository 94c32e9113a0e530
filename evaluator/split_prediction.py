"""Predictions for every sample of a split, and the CTC loss of each truth.

Note: samples go through the network `BATCH_SIZE` at a time however many travel in one message, so no figure depends on
the size of a message. The data set may be another one than the network was trained on: its images are then fitted to
the network's size.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluator.scores import EvaluatedBatch
from shared.client import DatasetClient
from shared.dataset.rank_slice import Remainder
from shared.dataset.spec import DatasetSpec
from shared.images.fit import fit_picture
from shared.protocol.batch import Batch, text_of
from shared.recogniser import Device
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.checkpoint_network import open_network
from shared.recogniser.ctc.ctc_decoding import decode, text_loss
from shared.recogniser.image_reader import BATCH_SIZE


class SplitPredictor:
    """The network of a checkpoint, for a data set whose characters it knows."""

    def __init__(self, checkpoint: Path, info: CheckpointInfo, served: DatasetSpec, device: Device) -> None:
        self.network, self._served = open_network(checkpoint, info, device), served

    def predict_split(self, client: DatasetClient, split: str, batch_size: int) -> Iterator[EvaluatedBatch]:
        """Every sample of the split once, in its order; batch_size: samples in one message."""
        stream = client.stream(split, shuffle=False, global_batch_size=batch_size, remainder=Remainder.PAD)
        with stream as batches:
            for batch in regrouped(batches, BATCH_SIZE):
                yield self.predict(batch)

    def predict(self, batch: Batch) -> EvaluatedBatch:
        """Predictions and losses for 1..BATCH_SIZE samples; infinite losses for labels too long for the frames."""
        logits, alphabet = self.network.logits(self._fitted(batch.images)), self.network.alphabet
        truths = [text_of(label, self._served.alphabet) for label in batch.labels]
        return EvaluatedBatch(
            indices=batch.indices,
            truths=truths,
            losses=text_loss(logits, truths, alphabet).astype(np.float32),
            predictions=decode(logits, alphabet),
        )

    def _fitted(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The images in the size that the network wants."""
        width, height = self.network.image_size
        if images.shape[1:3] == (height, width):
            return images
        return np.stack([fit_picture(image, width, height, self.network.fit) for image in images])


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
