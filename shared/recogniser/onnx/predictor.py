"""Predicts with an exported network and onnxruntime. Needs no MindSpore, which takes seconds to import."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from shared.dataset.fit import Fit
from shared.errors import DataLoss, UsageError
from shared.recogniser.onnx.metadata import INPUT, OUTPUT, OnnxMetadata
from shared.system.cpu_limit import num_cores

_FATAL = 4
"ONNX Runtime's own log level: what fails comes as an exception."


class OnnxPredictor:
    """The network of a file that `python -m trainer.export` wrote.

    Raises `UsageError` when there is no such file, `DataLoss` when it is no ONNX file of ours.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise UsageError(f"no exported network at {file}; write one: python -m trainer.export --out {file}")
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = num_cores(), _FATAL
        try:
            self._session = ort.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises types of its own, which share no base of theirs.
            raise DataLoss(f"{file} is not an ONNX file, or a damaged one; export it again") from error
        try:
            self.metadata = OnnxMetadata.from_properties(self._session.get_modelmeta().custom_metadata_map)
        except DataLoss as error:
            raise DataLoss(f"{file} {error}") from error

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
        """float32 [frames, n, classes] for images uint8 [n, height, width, 3], any n of at least 1."""
        (logits,) = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(images)})
        return np.asarray(logits, np.float32)


def load_onnx(path: Path, device: str = "cpu") -> OnnxPredictor:
    """See `OnnxPredictor`; raises `UsageError` for another device."""
    if device != "cpu":
        raise UsageError(f"an exported network is read on the CPU, not on {device}; leave --device out")
    return OnnxPredictor(path)
