"""The published network as a plain MindSpore script trains it: `WithLossCell`, `TrainOneStepCell`, batches in memory.

Images are normalised beforehand, float32 [n, 3, height, width] in blue, green, red, and the whole step is one static
graph: what a script pays for its data set is left out.
"""

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from numpy.typing import NDArray

_MEANS = np.array((0.9010, 0.9049, 0.9025))
_DEVIATIONS = np.array((0.1521, 0.1347, 0.1458))
_CLIP_NORM = 10.0


class StackedLstm(nn.Cell):
    """float32 [n, 3, height, width] -> logits [width, n, num_classes]."""

    def __init__(self, height: int, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(height * 3, hidden_size, num_layers=2)
        weight, bias = (np.random.random(shape) for shape in ((num_classes, hidden_size), num_classes))
        initial = {"weight_init": ms.Tensor(weight, ms.float32), "bias_init": ms.Tensor(bias, ms.float32)}
        self.classify = nn.Dense(hidden_size, num_classes, **initial)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        num, channels, height, width = images.shape
        columns = images.transpose(3, 0, 2, 1).reshape(width, num, height * channels)
        return self.classify(self.lstm(columns)[0])


class Ctc(nn.Cell):
    """logits, labels int32 [n, max_length] -> loss [n]."""

    def __init__(self, num_frames: int, batch_size: int, max_length: int) -> None:
        super().__init__()
        self.places = ms.Tensor([(n, place) for n in range(batch_size) for place in range(max_length)], ms.int64)
        self.lengths = ms.Tensor([num_frames] * batch_size, ms.int32)
        self.ctc = ops.CTCLoss()

    def construct(self, logits: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        return self.ctc(logits, self.places, labels.reshape(-1), self.lengths)[0]


class ClippedStep(nn.TrainOneStepCell):
    """images, labels -> loss [n]; clips the gradients of the sum by their global norm and updates the weights."""

    def construct(self, images: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        loss = self.network(images, labels)
        grads = self.grad(self.network, self.weights)(images, labels, ops.ones_like(loss))
        norm = ops.sqrt(sum([ops.reduce_sum(ops.square(grad)) for grad in grads]))
        scale = _CLIP_NORM / ops.maximum(norm, _CLIP_NORM)
        return ops.depend(loss, self.optimizer(tuple([grad * scale for grad in grads])))


def plain_step(network: StackedLstm, num_frames: int, labels_shape: tuple[int, int]) -> ClippedStep:
    """SGD with the published rate and momentum."""
    optimizer = nn.SGD(network.trainable_params(), 0.01, momentum=0.9)
    step = ClippedStep(nn.WithLossCell(network, Ctc(num_frames, *labels_shape)), optimizer)
    step.set_train()
    return step


def prepared(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [n, height, width, 3] RGB -> what the plain network wants."""
    normalised = (images[..., ::-1] / 255.0 - _MEANS) / _DEVIATIONS
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), np.float32)


def take(step: ClippedStep, batches: Sequence[tuple[NDArray[np.float32], NDArray[np.int32]]], number: int) -> float:
    """The step of that number; its mean loss, read as a script's loss monitor reads it."""
    images, labels = batches[number % len(batches)]
    return float(step(ms.Tensor(images), ms.Tensor(labels)).asnumpy().mean())
