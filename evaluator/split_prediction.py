"""Predictions for every sample of a split, and the CTC loss of each truth.

Note: samples go through the network `NETWORK_BATCH_SIZE` at a time however many travel in one message, so no figure
depends on the size of a message. The data set may be another one than the network was trained on: its images are then
fitted to the network's size, and its classes are counted as the network numbers its own.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from numpy.typing import NDArray

from evaluator.scores import EvaluatedBatch
from shared.client import DatasetClient
from shared.dataset.rank_slice import Remainder
from shared.dataset.spec import DatasetSpec
from shared.images.fit import fit_picture
from shared.protocol.batch import Batch, text_of
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.ctc.ctc_decoding import decode
from shared.recogniser.ctc.ctc_frames import frames_needed
from shared.recogniser.ctc.ctc_loss import CtcLoss
from shared.recogniser.device import Device
from shared.recogniser.predictor import NETWORK_BATCH_SIZE, Predictor


class SplitPredictor:
    """The network of a checkpoint, and the loss that it was trained with, for a data set whose characters it knows."""

    def __init__(self, checkpoint: Path, info: CheckpointInfo, served: DatasetSpec, device: Device) -> None:
        self.predictor, self._served = Predictor(checkpoint, info, device), served
        self._alphabet = self.predictor.dataset_spec.alphabet
        self._num_frames = self.predictor.network_spec.num_frames
        # Of a served class the network's own; padding is the blank of either.
        classes = [self._alphabet.index(character) for character in served.alphabet]
        self._class_of = np.array([*classes, len(self._alphabet)], np.int32)
        self._loss = CtcLoss(self._num_frames, NETWORK_BATCH_SIZE, served.max_length)

    def warm_up(self) -> None:
        """Compiles network and loss, so that the first batch is as fast as the others."""
        logits = self.predictor.logits(np.zeros((1, *self.predictor.dataset_spec.image_shape), np.uint8))
        blank = self._served.blank
        self.losses(logits, np.full((1, self._served.max_length), blank, np.int32))

    def predict_split(self, client: DatasetClient, split: str, batch_size: int) -> Iterator[EvaluatedBatch]:
        """Every sample of the split once, in its order; batch_size: samples in one message."""
        stream = client.stream(split, shuffle=False, global_batch_size=batch_size, remainder=Remainder.PAD)
        with stream as batches:
            for batch in regrouped(batches, NETWORK_BATCH_SIZE):
                yield self.predict(batch)

    def predict(self, batch: Batch) -> EvaluatedBatch:
        """Predictions and losses for 1..NETWORK_BATCH_SIZE samples."""
        logits = self.predictor.logits(self._fitted(batch.images))
        return EvaluatedBatch(
            indices=batch.indices,
            truths=[text_of(label, self._served.alphabet) for label in batch.labels],
            losses=self.losses(logits, batch.labels),
            predictions=decode(logits, self._alphabet),
        )

    def _fitted(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The images in the size that the network wants."""
        spec = self.predictor.dataset_spec
        if images.shape[1:] == spec.image_shape:
            return images
        return np.stack([fit_picture(image, spec.width, spec.height, self.predictor.fit) for image in images])

    def losses(self, logits: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """[n]: the CTC loss of served labels [n, max_length] under logits [frames, n, classes].

        Infinite for a label that is too long for the frames.
        """
        rows = np.arange(NETWORK_BATCH_SIZE)
        rows[len(labels) :] = 0  # The compiled loss has one size: copies of the first sample fill it up.
        fits = frames_needed(labels, self._served.blank) <= self._num_frames
        # MindSpore's operator fails where it should answer with infinity.
        possible = np.where(fits[:, np.newaxis], self._class_of[labels], self._class_of[-1])
        tensors = ms.Tensor(np.take(logits, rows, axis=1)), ms.Tensor(possible[rows])
        losses: NDArray[np.float32] = self._loss(*tensors).asnumpy()[: len(labels)]
        return np.where(fits, losses, np.float32(np.inf))


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
