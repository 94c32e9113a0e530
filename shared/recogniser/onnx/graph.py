"""A network as an ONNX graph, built from its shape and its weights.

The graph takes images as the service sends them, uint8 [n, height, width, 3] RGB with any n, and gives logits float32
[frames, n, classes], the blank last. An LSTM layer is one operator of ONNX, and its direction an attribute of that
operator. What a reader must know besides stands in the metadata: see `metadata.py`.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from shared import VERSION
from shared.recogniser.network.constants import DEVIATIONS, LUMA, MASK_GAIN, MEANS
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.onnx.builder import GraphBuilder
from shared.recogniser.onnx.convolution import convolution_frames
from shared.recogniser.onnx.metadata import INPUT, OUTPUT, OnnxMetadata

OPSET = 18
"Of ONNX 1.13 (2022): onnxruntime since 1.14 reads it."
Weights = Mapping[str, NDArray[np.float32]]


def build_onnx(spec: NetworkSpec, weights: Weights, metadata: OnnxMetadata) -> onnx.ModelProto:
    """The model of a network of this shape and these weights, by name; checked by ONNX's own checker."""
    graph = GraphBuilder()
    logits = graph.add("MatMul", _hidden(graph, spec, weights), graph.constant(weights["classify.weight"].T))
    logits = graph.add("Add", logits, graph.constant(weights["classify.bias"]))
    graph.nodes.append(helper.make_node("Identity", [logits], [OUTPUT], OUTPUT))
    images_type = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", spec.height, spec.width, 3])
    logits_shape: list[str | int | None] = [spec.num_frames, "n", spec.num_classes]
    logits_type = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, logits_shape)
    made = helper.make_graph(graph.nodes, "captcha", [images_type], [logits_type], graph.constants)
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="captcha-streaming",
        producer_version=VERSION,
    )
    helper.set_model_props(model, metadata.to_properties())
    onnx.checker.check_model(model)
    return model


def _hidden(graph: GraphBuilder, spec: NetworkSpec, weights: Weights) -> str:
    """[num_frames, n, values]: what the classifier gets."""
    has_convolutions = spec.resized_width is not None
    frames = convolution_frames(graph, INPUT, spec, weights) if has_convolutions else _frames(graph, spec)
    first = _lstm(graph, frames, weights, "first", "forward")
    if spec.second_layer == "parallel":
        return graph.add("Concat", first, _lstm(graph, frames, weights, "second", "reverse"), frames, axis=2)
    return _lstm(graph, first, weights, "second", "reverse" if spec.second_layer == "backward" else "forward")


def _frames(graph: GraphBuilder, spec: NetworkSpec) -> str:
    """[num_frames, n, values]: each frame row by row."""
    pixels, channels = _ink(graph, spec) if spec.pixels == "ink" else _colour(graph)
    values = spec.columns_per_frame * channels
    blocks = graph.reshape(pixels, 0, spec.height, spec.num_frames, values)
    blocks = graph.add("Transpose", blocks, perm=[2, 0, 1, 3])
    return graph.reshape(blocks, 0, 0, spec.height * values)


def _ink(graph: GraphBuilder, spec: NetworkSpec) -> tuple[str, int]:
    """See `preprocessing.Ink`; [n, height * width], one channel."""
    pixels = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    luma = graph.add("MatMul", pixels, graph.constant(np.reshape(LUMA, (3, 1))))
    luma = graph.reshape(luma, 0, spec.height * spec.width)
    pixel_axis = graph.constant([1], np.int64)
    light = graph.add("ReduceMax", luma, pixel_axis, keepdims=1)
    dark = graph.add("ReduceMin", luma, pixel_axis, keepdims=1)
    zero, one = graph.constant(0.0), graph.constant(1.0)
    strength = graph.add("Clip", graph.add("Mul", dark, graph.constant(MASK_GAIN)), graph.constant(0.04), one)
    span = graph.add("Mul", graph.add("Add", graph.add("Sub", light, dark), one), strength)
    ink = graph.add("Clip", graph.add("Div", graph.add("Sub", light, luma), span), zero, one)
    return graph.add("Mul", graph.add("Sub", ink, graph.constant(0.15)), graph.constant(4.0)), 1


def _colour(graph: GraphBuilder) -> tuple[str, int]:
    """See `preprocessing.Colour`; [n, height, width, 3], blue first."""
    turned = graph.add("Gather", INPUT, graph.constant([2, 1, 0], np.int64), axis=3)
    pixels = graph.add("Cast", turned, to=TensorProto.FLOAT)
    scaled = graph.add("Mul", pixels, graph.constant(1.0 / (255.0 * DEVIATIONS)))
    return graph.add("Add", scaled, graph.constant(-MEANS / DEVIATIONS)), 3


def _lstm(graph: GraphBuilder, frames: str, weights: Weights, name: str, direction: str) -> str:
    """[num_frames, n, hidden]; weights as MindSpore and PyTorch keep them, gates in the order input, forget, cell,
    output; ONNX wants input, output, forget, cell."""
    biases = [weights[f"{name}.bias_{part}_l0"] for part in ("ih", "hh")]
    output = graph.add(
        "LSTM",
        frames,
        graph.constant(_gates(weights[f"{name}.weight_ih_l0"])[np.newaxis]),
        graph.constant(_gates(weights[f"{name}.weight_hh_l0"])[np.newaxis]),
        graph.constant(np.concatenate([_gates(bias) for bias in biases])[np.newaxis]),
        hidden_size=weights[f"{name}.weight_hh_l0"].shape[1],
        direction=direction,
    )
    return graph.add("Squeeze", output, graph.constant([1], np.int64))


def _gates(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    of_input, of_forget, of_cell, of_output = np.split(rows, 4)
    return np.concatenate([of_input, of_output, of_forget, of_cell])
