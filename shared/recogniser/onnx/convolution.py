"""The frames of `ConvolutionFrames` as ONNX: resize, standardise, four times convolution, pooling and ReLU."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from shared.recogniser.network.constants import FRAME_SCALE, STAGES, area_weights
from shared.recogniser.network.network_spec import RESIZED_HEIGHT as HEIGHT
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.onnx.builder import GraphBuilder

Weights = Mapping[str, NDArray[np.float32]]


def convolution_frames(graph: GraphBuilder, images: str, spec: NetworkSpec, weights: Weights) -> str:
    """[num_frames, n, frame_size]; spec: one with `resized_width`."""
    x = _resized(graph, images, spec)
    for number, (_, cell_width, cell_height) in enumerate(STAGES):
        name = f"features.stages.{number}"
        kernel = _standardised(weights[f"{name}.weight"], weights[f"{name}.scale"])
        # The bias before the pooling instead of behind it: the greatest of some sums is the sum of the greatest.
        x = graph.add("Conv", x, graph.constant(kernel), graph.constant(weights[f"{name}.shift"]), pads=[1, 1, 1, 1])
        cell = [cell_width, cell_height]
        x = graph.add("Relu", graph.add("MaxPool", x, kernel_shape=cell, strides=cell))
    x = graph.add("Mul", graph.add("Transpose", x, perm=[2, 0, 3, 1]), graph.constant(FRAME_SCALE))
    rows, (channels, _, _) = HEIGHT // math.prod(cell_height for _, _, cell_height in STAGES), STAGES[-1]
    return graph.reshape(x, 0, 0, rows * channels)


def _resized(graph: GraphBuilder, images: str, spec: NetworkSpec) -> str:
    """[n, 3, resized_width, HEIGHT], each image with mean 0 and deviation 1; see `features.Resize`."""
    width = spec.resized_width or spec.width
    rows = graph.reshape(graph.add("Cast", images, to=TensorProto.FLOAT), 0, spec.height, spec.width * 3)
    rows = graph.add("MatMul", graph.constant(area_weights(spec.height, HEIGHT)), rows)
    columns = graph.add("Transpose", graph.reshape(rows, 0, HEIGHT, spec.width, 3), perm=[0, 2, 1, 3])
    columns = graph.reshape(columns, 0, spec.width, HEIGHT * 3)
    columns = graph.add("MatMul", graph.constant(area_weights(spec.width, width)), columns)
    values = graph.add("Sub", columns, _mean(graph, columns))
    variance = _mean(graph, graph.add("Mul", values, values))
    deviation = graph.add("Sqrt", graph.add("Add", variance, graph.constant(1.0)))
    values = graph.reshape(graph.add("Div", values, deviation), 0, width, HEIGHT, 3)
    return graph.add("Transpose", values, perm=[0, 3, 1, 2])


def _mean(graph: GraphBuilder, columns: str) -> str:
    """[n, 1, 1] of [n, width, HEIGHT * 3], by columns first, as `features` does it and for the same reason."""
    for axis in (2, 1):
        columns = graph.add("ReduceMean", columns, graph.constant([axis], np.int64))
    return columns


def _standardised(weight: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """[outputs, channels, 3, 3], as `features` standardises them in every step."""
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1, keepdims=True) + 1e-4)
    kernel: NDArray[np.float32] = (centred / norms * scale).reshape(weight.shape).astype(np.float32)
    return kernel
