"""Writes the network of a checkpoint as a MINDIR or an ONNX file."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mindspore as ms

from shared.errors import UsageError
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.device import set_device
from shared.recogniser.device_name import Device
from shared.recogniser.hub import NAME, create_network
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.onnx.checkpoint_model import build_checkpoint_model
from shared.system.atomic_file import atomic_path


def export_mindir(path: Path, out: Path, device: Device) -> dict[str, Any]:
    """Exports a checkpoint, as `find_checkpoint` finds it, for `device`; returns what --json prints.

    Raises `UsageError` when there is no checkpoint, or `out` cannot be written.
    """
    checkpoint = _found(path)
    set_device(device)
    network = create_network(NAME, checkpoint=checkpoint)
    network.set_train(False)
    spec = network.spec
    images = ms.Tensor(shape=[None, spec.height, spec.width, 3], dtype=ms.uint8)
    # MindSpore refuses names that are not ASCII: it gets one, and the file is moved.
    with tempfile.TemporaryDirectory() as folder, _written(out) as partial:
        plain = Path(folder) / "network.mindir"
        ms.export(network, images, file_name=str(plain), file_format="MINDIR")
        shutil.copyfile(plain, partial)
    return _described(checkpoint, out, spec)


def export_onnx(path: Path, out: Path, device: Device) -> dict[str, Any]:
    """The same as ONNX, for any device."""
    checkpoint = _found(path)
    if device != "cpu":
        raise UsageError(f"an ONNX file is the same for every device; leave --device {device} out")
    info = read_info(checkpoint)
    model = build_checkpoint_model(checkpoint, info)
    with _written(out) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))
    return _described(checkpoint, out, info.network_spec())


def _found(path: Path) -> Path:
    checkpoint = find_checkpoint(path)
    print(f"exporting {checkpoint}", file=sys.stderr, flush=True)
    return checkpoint


@contextmanager
def _written(out: Path) -> Iterator[Path]:
    try:
        with atomic_path(out, keep_suffix=True) as partial:
            yield partial
            partial.chmod(0o644)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error


def _described(checkpoint: Path, out: Path, spec: NetworkSpec) -> dict[str, Any]:
    return {
        out.suffix[1:]: str(out),
        "file": str(out),
        "checkpoint": str(checkpoint),
        "size_bytes": out.stat().st_size,
        "input_shape": [None, spec.height, spec.width, 3],
        "output_shape": [spec.num_frames, None, spec.num_classes],
    }
