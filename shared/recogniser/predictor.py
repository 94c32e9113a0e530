"""A checkpoint turned into something that reads batches of images.

The forward pass and the loss are one compiled function of `WIDTH` samples; a shorter group is filled up with copies of
its first sample, and what comes out for those is cut off. What surprises: the width is fixed on purpose. Products of
matrices of one shape give each row the same bits whatever stands in the others; products of another shape may not. So
readings, losses and confidences do not depend on how samples travelled.
"""

from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

from evaluator.scores import ReadBatch
from shared.dataset.spec import DatasetSpec
from shared.protocol.batch import Batch, text_of
from shared.recogniser.checkpoint import CheckpointInfo, load_parameters
from shared.recogniser.ctc_decoding import certainties, greedy_decode, text_probability
from shared.recogniser.ctc_loss import CtcLoss
from shared.recogniser.device import Device, Signal
from shared.recogniser.network import CaptchaNetwork

WIDTH = 64
"Samples that the network reads at once."


class Recogniser:
    """The network of a checkpoint; raises `DataLoss` when the file does not hold what its JSON says."""

    def __init__(self, checkpoint: Path, info: CheckpointInfo, device: Device) -> None:
        self.dataset_spec: DatasetSpec = info.dataset_spec()
        self.network_spec = info.network_spec()
        network = CaptchaNetwork(self.network_spec)
        load_parameters(checkpoint, network.trainable_params())
        loss = CtcLoss(self.network_spec.num_frames, WIDTH, self.dataset_spec.max_length)
        self._forward = _Forward(network, loss, device)

    def warm_up(self) -> None:
        """Compiles the network, which takes seconds, so that the first batch is as quick as the others."""
        spec = self.dataset_spec
        self.run(np.zeros((1, *spec.image_shape), np.uint8), np.zeros((1, spec.max_length), np.uint8))

    def read(self, batch: Batch) -> ReadBatch:
        """What stands in the images of a batch of 1..WIDTH samples."""
        logits, losses = self.run(batch.images, batch.labels)
        alphabet = self.dataset_spec.alphabet
        readings = greedy_decode(logits, alphabet)
        return ReadBatch(
            indices=batch.indices,
            truths=[text_of(label, alphabet) for label in batch.labels],
            readings=readings,
            losses=losses,
            confidences=text_probability(logits, readings, alphabet),
            paths=logits.argmax(axis=2).T,
            certainties=certainties(logits).T,
        )

    def read_images(self, images: NDArray[np.uint8]) -> list[tuple[str, float]]:
        """(reading, confidence) of each of 1..WIDTH images [n, height, width, 3] whose truth nobody knows."""
        unknown = np.zeros((len(images), self.dataset_spec.max_length), np.uint8)
        logits, _ = self.run(images, unknown)
        alphabet = self.dataset_spec.alphabet
        readings = greedy_decode(logits, alphabet)
        return list(zip(readings, text_probability(logits, readings, alphabet).tolist(), strict=True))

    def run(
        self, images: NDArray[np.uint8], labels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits [frames, n, classes] and CTC losses [n]; images [n, height, width, 3], labels [n, max_length]."""
        num, spec = len(images), self.network_spec
        flat = self._forward.run(_fill_up(images), _fill_up(labels).astype(np.int32))
        logits = flat[:-WIDTH].reshape(spec.num_frames, WIDTH, spec.num_classes)
        return logits[:, :num], flat[-WIDTH:][:num]


class _Forward(nn.Cell):
    """images uint8 [n, h, w, 3], labels int32 [n, max_length] -> float32: all logits, then n losses, in one row."""

    def __init__(self, network: CaptchaNetwork, loss: CtcLoss, device: Device) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.loss, self.signal = network, loss, Signal(device)

    @ms.jit
    def construct(self, images: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        logits = ops.cast(self.network(images), ms.float32)
        return self.signal(ops.concat((logits.reshape(-1), self.loss(logits, labels))))

    def run(self, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.signal.run(self, ms.Tensor(images), ms.Tensor(labels))


def _fill_up(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = WIDTH - len(rows)
    return np.concatenate([rows, np.repeat(rows[:1], missing, axis=0)]) if missing else rows
