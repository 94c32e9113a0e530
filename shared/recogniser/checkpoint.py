"""Checkpoints: weights, optimizer and cursor in one MindSpore file, with a JSON beside it that says what they are.

The cursor lives inside the `.ckpt`, so no crash can part it from the weights. The JSON is written last and carries the
file's SHA-256: a checkpoint without a matching JSON was never finished and is passed over.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import yaml
from pydantic import TypeAdapter, ValidationError

from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss, UsageError
from shared.recogniser.network import NetworkSpec

_NAME = re.compile(r"warpctc-(\d+)-(\d+)\.ckpt")
_CURSOR = "cursor.global_step"


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What stands beside the weights."""

    epoch: int
    "Epochs begun, from 1, as in the file's name."
    step: int
    "Steps done in that epoch."
    global_step: int
    "Steps done since the start of training: the cursor."
    elapsed_s: float
    "Training time until here, over all restarts."
    ranks: int
    global_batch_size: int
    fingerprint: str
    "Of the data set trained on."
    split_count: int
    "Size of the split trained on; with the global batch it fixes the steps of an epoch."
    dataset: dict[str, Any]
    network: dict[str, Any]
    config_digest: str
    weights_digest: str
    "SHA-256 over the names and bytes of the network's parameters."
    file_sha256: str = ""

    def dataset_spec(self) -> DatasetSpec:
        """The spec of the data set trained on."""
        return DatasetSpec.from_mapping(self.dataset)

    def network_spec(self) -> NetworkSpec:
        """The shape of the network."""
        return NetworkSpec(**self.network)


_INFO = TypeAdapter(CheckpointInfo)


def weights_digest(parameters: Iterable[ms.Parameter]) -> str:
    """SHA-256 over names and bytes: equal for bit-identical weights, whatever file holds them."""
    hasher = hashlib.sha256()
    for parameter in parameters:
        hasher.update(parameter.name.encode())
        hasher.update(np.ascontiguousarray(parameter.asnumpy()).tobytes())
    return hasher.hexdigest()


def save_checkpoint(folder: Path, info: CheckpointInfo, parameters: Sequence[ms.Parameter], keep: int) -> Path:
    """Writes one checkpoint and removes all but the newest `keep`; returns the `.ckpt`. Never leaves a half one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"warpctc-{info.epoch}-{info.step}.ckpt"
    unfinished = folder / f"unfinished-{path.name}"
    unfinished.unlink(missing_ok=True)
    rows = [{"name": parameter.name, "data": ms.Tensor(parameter.asnumpy())} for parameter in parameters]
    ms.save_checkpoint(rows, str(unfinished), append_dict={_CURSOR: info.global_step})
    unfinished.chmod(0o644)
    written = CheckpointInfo(**asdict(info) | {"file_sha256": _sha256(unfinished)})
    path.with_suffix(".json").unlink(missing_ok=True)
    _replace(unfinished, path)
    _write_json(path.with_suffix(".json"), asdict(written))
    for old in list_checkpoints(folder)[:-keep]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink(missing_ok=True)
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints of a folder, oldest first by (epoch, step)."""
    found = {path: _NAME.fullmatch(path.name) for path in folder.glob("warpctc-*.ckpt")}
    finished = [(int(m[1]), int(m[2]), path) for path, m in found.items() if m and path.with_suffix(".json").is_file()]
    return [path for _, _, path in sorted(finished)]


def read_info(path: Path) -> CheckpointInfo:
    """The JSON beside a checkpoint; raises `UsageError` when there is none, `DataLoss` when the pair is damaged."""
    beside = path.with_suffix(".json")
    try:
        info = _INFO.validate_json(beside.read_bytes())
        info.dataset_spec(), info.network_spec()
    except FileNotFoundError as error:
        raise UsageError(f"{beside} is missing; a checkpoint is a .ckpt with its .json beside it") from error
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        raise DataLoss(f"{beside} cannot be read ({problem}); take another checkpoint") from error
    except (OSError, ValueError, TypeError, UsageError) as error:
        raise DataLoss(f"{beside} cannot be read ({error}); take another checkpoint") from error
    if not path.is_file():
        raise UsageError(f"no checkpoint at {path}")
    if _sha256(path) != info.file_sha256:
        raise DataLoss(f"{path} is damaged: its SHA-256 is not the one in {beside.name}; take another checkpoint")
    return info


def load_parameters(path: Path, parameters: Sequence[ms.Parameter]) -> int:
    """Sets all `parameters` from the file; returns the cursor. Raises `DataLoss` if one is missing or foreign."""
    stored = ms.load_checkpoint(str(path))
    for parameter in parameters:
        if parameter.name not in stored or stored[parameter.name].shape != parameter.shape:
            raise DataLoss(f"{path} does not hold {parameter.name} of shape {tuple(parameter.shape)}")
        parameter.set_data(stored[parameter.name])
    return int(stored[_CURSOR].asnumpy())


def find_checkpoint(path: Path) -> Path:
    """A `.ckpt` file as it is, or the newest checkpoint of a run directory; raises `UsageError` when there is none."""
    return path if path.is_file() else find_checkpoints(path)[-1]


def find_checkpoints(run_dir: Path) -> list[Path]:
    """All finished checkpoints of a run directory, oldest first, at least one; raises `UsageError` when none is."""
    if not run_dir.exists():
        raise UsageError(f"no checkpoint at {run_dir}: the path does not exist")
    folders = dict.fromkeys(_checkpoint_folders(run_dir))
    for folder in folders:
        if found := list_checkpoints(folder):
            return found
    words = " or ".join(map(str, folders))
    raise UsageError(f"no finished checkpoint in {words}; train first: python -m trainer")


def _checkpoint_folders(run_dir: Path) -> Iterator[Path]:
    """Where the run's own configuration says that they are, then where they are by default or may have been put."""
    with suppress(OSError, ValueError, yaml.YAMLError):
        told = yaml.safe_load((run_dir / "config.yaml").read_text())
        if isinstance(told, dict) and isinstance(told.get("save_checkpoint_path"), str):
            yield run_dir / told["save_checkpoint_path"]
    yield from (run_dir / "checkpoints", run_dir)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, values: dict[str, Any]) -> None:
    unfinished = path.with_name(f"unfinished-{path.name}")
    unfinished.write_text(json.dumps(values, indent=2) + "\n")
    _replace(unfinished, path)


def _replace(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(source, target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
