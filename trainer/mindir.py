"""Writes the network of a checkpoint as a MINDIR file."""

import sys
from pathlib import Path
from typing import Any

import mindspore as ms

from shared.errors import UsageError
from shared.recogniser.checkpoint_info import find_checkpoint
from shared.recogniser.device import Device, set_device
from shared.recogniser.hub import NAME, create_network
from shared.system.atomic_file import atomic_path


def export_mindir(path: Path, out: Path, device: Device) -> dict[str, Any]:
    """Exports a checkpoint, or the newest of a run directory, for `device`; returns what --json prints.

    Raises `UsageError` when there is no checkpoint, or `out` cannot be written.
    """
    checkpoint = find_checkpoint(path)
    set_device(device)
    print(f"exporting {checkpoint}", file=sys.stderr, flush=True)
    network = create_network(NAME, checkpoint=checkpoint)
    network.set_train(False)
    spec = network.spec
    input_shape = [None, spec.height, spec.width, 3]
    images = ms.Tensor(shape=input_shape, dtype=ms.uint8)
    try:
        with atomic_path(out, keep_suffix=True) as partial:
            ms.export(network, images, file_name=str(partial), file_format="MINDIR")
            partial.chmod(0o644)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    return {
        "mindir": str(out),
        "checkpoint": str(checkpoint),
        "size_bytes": out.stat().st_size,
        "input_shape": input_shape,
        "output_shape": [spec.num_frames, None, spec.num_classes],
    }
