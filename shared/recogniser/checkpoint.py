"""Saving and loading checkpoints: weights, optimizer and cursor in one MindSpore file, with a JSON beside it.

The cursor is inside the `.ckpt`, so no crash can separate it from the weights. The JSON (`checkpoint_info.py`) is
written last: a checkpoint without it was never finished.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import mindspore as ms
import numpy as np

from shared.errors import DataLoss
from shared.recogniser.checkpoint_info import CheckpointInfo, info_file, is_checkpoint_file, list_checkpoints, sha256_of
from shared.system.atomic_file import atomic_path, remove_partial_files, write_atomic

_CURSOR = "cursor.global_step"


def weights_digest(parameters: Iterable[ms.Parameter]) -> str:
    """SHA-256 over names and bytes: equal for bit-identical weights, whatever file holds them."""
    hasher = hashlib.sha256()
    for parameter in parameters:
        hasher.update(parameter.name.encode())
        hasher.update(np.ascontiguousarray(parameter.asnumpy()).tobytes())
    return hasher.hexdigest()


def save_checkpoint(folder: Path, info: CheckpointInfo, parameters: Sequence[ms.Parameter]) -> Path:
    """Writes one checkpoint; returns the `.ckpt`. Never leaves half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / info.file_name
    remove_partial_files(folder, is_checkpoint_file)  # Left by a run that was killed while it saved.
    rows = [{"name": parameter.name, "data": ms.Tensor(parameter.asnumpy())} for parameter in parameters]
    _check_room(folder, sum(row["data"].nbytes for row in rows))
    with atomic_path(path, keep_suffix=True) as partial:
        ms.save_checkpoint(rows, str(partial), append_dict={_CURSOR: info.global_step})
        partial.chmod(0o644)
        written = replace(info, file_sha256=sha256_of(partial))
        if not _is_of(info_file(path), written):  # Another rank may have saved the very same bytes.
            info_file(path).unlink(missing_ok=True)
    write_atomic(info_file(path), json.dumps(asdict(written), indent=2) + "\n")
    return path


def remove_old_checkpoints(folder: Path, keep: int, best: str = "") -> None:
    """Removes all but the newest `keep` and the one whose file name is `best`."""
    for old in list_checkpoints(folder)[:-keep]:
        if old.name != best:
            info_file(old).unlink(missing_ok=True)
            old.unlink(missing_ok=True)


def _check_room(folder: Path, size_bytes: int) -> None:
    """Raises `OSError` on a disk that is full: MindSpore would print lines of its own first."""
    if shutil.disk_usage(folder).free < size_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _is_of(beside: Path, info: CheckpointInfo) -> bool:
    """Whether the JSON at `beside` is of the same `.ckpt` as `info`."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads(beside.read_bytes())["file_sha256"] == info.file_sha256)
    return False


def load_parameters(path: Path, parameters: Sequence[ms.Parameter]) -> int:
    """Sets all `parameters` from the file; returns the cursor. Raises `DataLoss` if one is missing or foreign."""
    stored = ms.load_checkpoint(str(path))
    for parameter in parameters:
        if parameter.name not in stored or stored[parameter.name].shape != parameter.shape:
            raise DataLoss(f"{path} does not hold {parameter.name} of shape {tuple(parameter.shape)}")
        parameter.set_data(stored[parameter.name])
    return int(stored[_CURSOR].asnumpy())
