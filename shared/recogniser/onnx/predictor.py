"""Predicts with onnxruntime, an exported network or a checkpoint's. Needs no MindSpore, which takes seconds to import.

Note: an image's logits are the same bits whatever other images go through the network with it; a test holds that.
"""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from shared.dataset.fit import Fit
from shared.errors import DataLoss, UsageError
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.onnx.checkpoint_model import build_checkpoint_model
from shared.recogniser.onnx.metadata import INPUT, OUTPUT, OnnxMetadata
from shared.system.limits import num_cores

_FATAL = 4
"ONNX Runtime's own log level: what fails comes as an exception."


class OnnxPredictor:
    """The network of an ONNX model that this project made; raises `DataLoss` when it is none."""

    def __init__(self, model: bytes, num_threads: int | None = None) -> None:
        """num_threads: that share the work of one call; by default one for each core."""
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = num_threads or num_cores(), _FATAL
        # A thread that waits for its part of the work would take the core from those who render or receive images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises types of its own, which share no base of theirs.
            raise DataLoss("is not an ONNX file, or a damaged one; export it again") from error
        self.metadata = OnnxMetadata.from_properties(self._session.get_modelmeta().custom_metadata_map)

    @property
    def alphabet(self) -> str:
        """Class i is the i-th character."""
        return self.metadata.alphabet

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.metadata.width, self.metadata.height

    @property
    def fit(self) -> Fit:
        """How pictures of another size are brought to this one."""
        return Fit.from_mapping(self.metadata.fit)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 [frames, n, classes] for images uint8 [n, height, width, 3], any n of at least 1. By any thread."""
        (logits,) = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(images)})
        return np.asarray(logits, np.float32)


def load_onnx(file: Path, device: str = "cpu") -> OnnxPredictor:
    """The network of a file that `python -m trainer.export` wrote.

    Raises `UsageError` when there is no such file, or for another device; `DataLoss` when it is no ONNX file of ours.
    """
    if device != "cpu":
        raise UsageError(f"an exported network is read on the CPU, not on {device}; leave --device out")
    if not file.is_file():
        raise UsageError(f"no exported network at {file}; write one: python -m trainer.export --out {file}")
    try:
        return OnnxPredictor(file.read_bytes())
    except DataLoss as error:
        raise DataLoss(f"{file} {error}") from error


def load_checkpoint_network(checkpoint: Path, info: CheckpointInfo, num_threads: int | None = None) -> OnnxPredictor:
    """The network of a checkpoint; raises `DataLoss` when the file does not hold what its JSON says."""
    spec, model = info.network_spec(), build_checkpoint_model(checkpoint, info)
    try:
        predictor = OnnxPredictor(model.SerializeToString(), num_threads)
        logits = predictor.logits(np.zeros((1, spec.height, spec.width, 3), np.uint8))
    except Exception as error:  # As above: sizes that do not fit together.
        raise DataLoss(f"{checkpoint} does not hold the network that its JSON describes") from error
    if logits.shape != (spec.num_frames, 1, spec.num_classes):
        raise DataLoss(f"{checkpoint} does not hold the network that its JSON describes")
    return predictor
