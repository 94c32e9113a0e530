"""The recogniser: network, loss, decoding, checkpoints, prediction; used by trainer and evaluator. Mostly MindSpore.

    from shared.recogniser import load

    reader = load("run")
    print(reader.read("x.png"))

Importing MindSpore makes protobuf fall back to its pure Python parser, 3-10 times slower on our messages, here and in
every process started from here, unless the environment already says otherwise; hence the first line below. It also
warns about every accelerator package it does not find; `GLOG_v=3` (errors only) keeps that from people who asked for a
CPU, unless they set the variable themselves.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shared.recogniser.device_name import Device

if TYPE_CHECKING:
    from shared.recogniser.image_reader import ImageReader

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "upb")
os.environ.setdefault("GLOG_v", "3")

__all__ = ["Device", "load"]


def load(path: str | Path, device: Device = "cpu") -> "ImageReader":
    """What reads pictures with a trained network.

    path: a run directory, meaning its newest checkpoint; RUN/best.json, meaning its best one; a `.ckpt` file; or an
    exported `.onnx` file, which is for the CPU. Raises `UsageError` when there is none, `DataLoss` for a damaged one.
    """
    # What they need takes a moment to import, and importing this package must not.
    from shared.recogniser.checkpoint_network import open_checkpoint
    from shared.recogniser.image_reader import ImageReader

    if Path(path).suffix == ".onnx":
        from shared.recogniser.onnx.predictor import load_onnx

        return ImageReader(load_onnx(Path(path), device))
    return ImageReader(open_checkpoint(Path(path), device))
