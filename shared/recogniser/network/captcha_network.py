"""The recogniser: frames of an image as time steps -> stacked LSTM -> fully connected layer -> logits for CTC.

The stacked LSTM and its CTC head follow Graves et al., "Connectionist temporal classification" (ICML 2006).
Note: the second layer may read right to left. It then knows what comes after a digit as well as what comes before,
at the cost of two reversals instead of a bidirectional layer's doubled work. Parallel layers read the same frames, and
the classifier sees these beside them: the convolutions learn what characters look like before the LSTM layers
have learnt anything.
"""

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.common.initializer import Orthogonal, Uniform, XavierUniform, initializer
from numpy.typing import NDArray

from shared.recogniser.network.features import ColumnFrames, ConvolutionFrames
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.network.preprocessing import Colour, Ink


class CaptchaNetwork(nn.Cell):
    """uint8 [n, height, width, 3] -> logits float32 [num_frames, n, num_classes]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.features = _features(spec)
        self.first = _lstm("first", self.features.frame_size, spec)
        parallel = spec.second_layer == "parallel"
        self.second = _lstm("second", self.features.frame_size if parallel else spec.hidden_size, spec)
        seen = 2 * spec.hidden_size + self.features.frame_size if parallel else spec.hidden_size
        self.classify = _classifier(spec, seen)
        self.reverse = _Reverse(spec.num_frames)
        self.second_layer = spec.second_layer

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        """See the class."""
        frames = self.features(images)
        hidden, _ = self.first(frames)
        if self.second_layer == "forward":
            return self._logits(self.second(hidden)[0])
        if self.second_layer == "backward":
            hidden, _ = self.second(self.reverse(hidden))
            return self.reverse(self._logits(hidden))
        backward, _ = self.second(self.reverse(frames))
        return self._logits(ops.concat((hidden, self.reverse(backward), frames), 2))

    def _logits(self, hidden: ms.Tensor) -> ms.Tensor:
        """In float32 everywhere: Ascend's LSTM computes and answers in float16."""
        return self.classify(ops.cast(hidden, ms.float32))


class _Reverse(nn.Cell):
    """[num_frames, ...] -> the same, last frame first. On CPU `ops.flip` moves single values, this whole frames."""

    def __init__(self, num_frames: int) -> None:
        super().__init__()
        self.order = ms.Tensor(np.arange(num_frames)[::-1].astype(np.int32))
        self.gather = ops.Gather()

    def construct(self, frames: ms.Tensor) -> ms.Tensor:
        return self.gather(frames, self.order, 0)

    def bprop(self, frames: ms.Tensor, out: ms.Tensor, dout: ms.Tensor) -> tuple[ms.Tensor]:
        return (self.gather(dout, self.order, 0),)


def _features(spec: NetworkSpec) -> ColumnFrames | ConvolutionFrames:
    if spec.resized_width is not None:
        return ConvolutionFrames(spec.width, spec.height, spec.resized_width, ms.get_context("device_target"))
    pixels = Ink(spec.width) if spec.pixels == "ink" else Colour(spec.width)
    return ColumnFrames(pixels, spec.height, spec.num_frames, spec.columns_per_frame)


def _lstm(name: str, input_size: int, spec: NetworkSpec) -> nn.LSTM:
    """A layer as MindSpore draws it, uniform within hidden_size**-0.5, which is the published way; or orthogonal."""
    layer = nn.LSTM(input_size, spec.hidden_size)
    if spec.initial_weights == "orthogonal":
        _draw_orthogonal(layer, input_size, spec.hidden_size)
    for parameter in layer.get_parameters():
        # Two LSTM layers of one network have parameters of the same names otherwise.
        parameter.name = f"{name}.{parameter.name}"
    return layer


def _draw_orthogonal(layer: nn.LSTM, input_size: int, hidden_size: int) -> None:
    """Orthogonal recurrent weights (Saxe et al., ICLR 2014), Glorot input weights (AISTATS 2010) and a forget bias of
    one (Jozefowicz et al., ICML 2015)."""
    square, wide = (hidden_size, hidden_size), (hidden_size, input_size)
    for parameter in layer.get_parameters():
        if "weight" in parameter.name:
            of_gate = (Orthogonal(), square) if "hh" in parameter.name else (XavierUniform(), wide)
            values = np.concatenate([_drawn(*of_gate) for _ in range(4)])
        else:
            values = np.zeros(parameter.shape, np.float32)
            if "ih" in parameter.name:
                values[hidden_size : 2 * hidden_size] = 1.0  # gates are stored as input, forget, cell, output
        parameter.set_data(ms.Tensor(values))


def _classifier(spec: NetworkSpec, input_size: int) -> nn.Dense:
    """Small weights of either sign; or weights and biases uniform in 0..1, the published way."""
    layer = nn.Dense(input_size, spec.num_classes, weight_init=Uniform(input_size**-0.5))
    if spec.initial_weights == "uniform":
        for parameter in layer.get_parameters():
            parameter.set_data(ms.Tensor(_drawn(Uniform(0.5), parameter.shape) + 0.5))
    return layer


def _drawn(how: XavierUniform | Orthogonal | Uniform, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = initializer(how, shape, ms.float32).init_data().asnumpy()
    return values
