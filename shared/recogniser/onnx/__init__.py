"""The network as an ONNX file, for onnxruntime and others: written by the export, read by `predict`.

What is listed in `__all__` is imported when it is first asked for: onnx and onnxruntime take a moment, and the first
step of a training does not wait for them.
"""

from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names

if TYPE_CHECKING:
    from shared.recogniser.onnx.graph import build_onnx
    from shared.recogniser.onnx.predictor import OnnxPredictor, load_checkpoint_network, load_onnx
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "OnnxPredictor": "shared.recogniser.onnx.predictor",
            "build_onnx": "shared.recogniser.onnx.graph",
            "load_checkpoint_network": "shared.recogniser.onnx.predictor",
            "load_onnx": "shared.recogniser.onnx.predictor",
        },
    )

__all__ = ["OnnxPredictor", "build_onnx", "load_checkpoint_network", "load_onnx"]
