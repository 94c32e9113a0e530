"""Predictions for every sample of a split, and the CTC loss of each truth.

Note: samples go through the network `NETWORK_BATCH_SIZE` at a time however many travel in one message, so no figure
depends on the size of a message.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
from numpy.typing import NDArray

from evaluator.scores import EvaluatedBatch
from shared.client import DatasetClient
from shared.dataset.rank_slice import Remainder
from shared.protocol.batch import Batch, text_of
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.ctc_decoding import decode
from shared.recogniser.ctc_loss import CtcLoss
from shared.recogniser.device import Device
from shared.recogniser.predictor import NETWORK_BATCH_SIZE, Predictor


class SplitPredictor:
    """The network of a checkpoint, and the loss that it was trained on."""

    def __init__(self, checkpoint: Path, info: CheckpointInfo, device: Device) -> None:
        self.predictor = Predictor(checkpoint, info, device)
        self._alphabet = self.predictor.dataset_spec.alphabet
        num_frames, max_length = self.predictor.network_spec.num_frames, self.predictor.dataset_spec.max_length
        self._loss = CtcLoss(num_frames, NETWORK_BATCH_SIZE, max_length)

    def warm_up(self) -> None:
        """Compiles network and loss, so that the first batch is as fast as the others."""
        spec = self.predictor.dataset_spec
        logits = self.predictor.logits(np.zeros((1, *spec.image_shape), np.uint8))
        self.losses(logits, np.zeros((1, spec.max_length), np.uint8))

    def predict_split(self, client: DatasetClient, split: str, batch_size: int) -> Iterator[EvaluatedBatch]:
        """Every sample of the split once, in its order; batch_size: samples in one message."""
        stream = client.stream(split, shuffle=False, global_batch_size=batch_size, remainder=Remainder.PAD)
        with stream as batches:
            for batch in regrouped(batches, NETWORK_BATCH_SIZE):
                yield self.predict(batch)

    def predict(self, batch: Batch) -> EvaluatedBatch:
        """Predictions and losses for 1..NETWORK_BATCH_SIZE samples."""
        logits = self.predictor.logits(batch.images)
        return EvaluatedBatch(
            indices=batch.indices,
            truths=[text_of(label, self._alphabet) for label in batch.labels],
            losses=self.losses(logits, batch.labels),
            predictions=decode(logits, self._alphabet),
        )

    def losses(self, logits: NDArray[np.float32], labels: NDArray[np.uint16]) -> NDArray[np.float32]:
        """[n]: the CTC loss of labels [n, max_length] under logits [frames, n, classes]."""
        rows = np.arange(NETWORK_BATCH_SIZE)
        rows[len(labels) :] = 0  # The compiled loss has one size: copies of the first sample fill it up.
        tensors = ms.Tensor(np.take(logits, rows, axis=1)), ms.Tensor(labels[rows].astype(np.int32))
        losses: NDArray[np.float32] = self._loss(*tensors).asnumpy()[: len(labels)]
        return losses


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
