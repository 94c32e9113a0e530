"""Opens a trained network to read pictures with: `from shared.recogniser import load`."""

from pathlib import Path

from shared.recogniser import onnx
from shared.recogniser.checkpoint_network import open_checkpoint
from shared.recogniser.device_name import Device
from shared.recogniser.image_reader import ImageReader


def load(path: str | Path, device: Device = "cpu") -> ImageReader:
    """What reads pictures with a trained network.

    path: a run directory, meaning its newest checkpoint; RUN/best.json, meaning its best one; a `.ckpt` file; or an
    exported `.onnx` file, which is for the CPU. Raises `UsageError` when there is none, `DataLoss` for a damaged one.
    """
    if Path(path).suffix == ".onnx":
        return ImageReader(onnx.load_onnx(Path(path), device))
    return ImageReader(open_checkpoint(Path(path), device))
