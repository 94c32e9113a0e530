"""The network of a checkpoint, ready to predict: with onnxruntime on the CPU, with MindSpore on other devices.

Importing and compiling take MindSpore two seconds, onnxruntime a third of one, and a pass takes it half the time. Their
logits differ by about 1e-5.
"""

from pathlib import Path

from shared.recogniser import network, onnx
from shared.recogniser.checkpoint_info import CheckpointInfo, find_checkpoint, read_info
from shared.recogniser.device_name import Device
from shared.recogniser.image_reader import ImageNetwork


def open_checkpoint(path: Path, device: Device) -> ImageNetwork:
    """The network of a `.ckpt` file, a run directory or RUN/best.json; raises `UsageError` and `DataLoss`."""
    check_device(device)
    checkpoint = find_checkpoint(path)
    return open_network(checkpoint, read_info(checkpoint), device)


def check_device(device: Device) -> None:
    """Raises `UsageError` where MindSpore finds no such device; call it before `open_network`."""
    if device != "cpu":
        network.set_device(device)


def open_network(
    checkpoint: Path, info: CheckpointInfo, device: Device, num_threads: int | None = None
) -> ImageNetwork:
    """The network of a `.ckpt` file and its JSON; raises `DataLoss` when they do not belong together.

    num_threads: on the CPU, that share the work of one call; by default one for each core.
    """
    if device == "cpu":
        return onnx.load_checkpoint_network(checkpoint, info, num_threads)
    predictor = network.Predictor(checkpoint, info, device)
    predictor.warm_up()
    return predictor
