"""Checkpoints as files: their names, how to find them, and the JSON beside each. Needs no MindSpore.

Weights are saved and loaded in `checkpoint.py`. A checkpoint is a pair: `warpctc-EPOCH-STEP.ckpt` and a `.json` of the
same name. The JSON is written last and holds the SHA-256 of the `.ckpt`: without a matching JSON a checkpoint is
unfinished, and is skipped.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.dataset.fit import Fit
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss, UsageError
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.run_layout import BEST_FILE, RunLayout

_T = TypeVar("_T")
_CHECKPOINT = re.compile(r"warpctc-(\d+)-(\d+)\.ckpt")
_CHECKPOINT_FILE = re.compile(r"warpctc-\d+-\d+\.(ckpt|json)")


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What the JSON beside the weights holds."""

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
    "SHA-256 over all configuration keys: tells checkpoints of differently configured runs apart."
    weights_digest: str
    "SHA-256 over the names and bytes of the network's parameters."
    fonts: dict[str, str] = field(default_factory=dict)
    "Where the fonts of the data set were when the run began: paths by SHA-256."
    validation: dict[str, Any] | None = None
    "The validations until here, as `ValidationHistory` keeps them; None when there was none."
    file_sha256: str = ""
    config: dict[str, Any] | None = None
    "All configuration keys, so that a change can be named; None in checkpoints of older versions."

    @property
    def file_name(self) -> str:
        """Of the `.ckpt`."""
        return checkpoint_name(self.epoch, self.step)

    def dataset_spec(self) -> DatasetSpec:
        """The spec of the data set trained on."""
        return DatasetSpec.from_mapping(self.dataset)

    @property
    def fit(self) -> Fit:
        """How pictures of another size are brought to the one of the data set."""
        return self.dataset_spec().fit or Fit()

    def network_spec(self) -> NetworkSpec:
        """The shape of the network."""
        return _adapter(NetworkSpec).validate_python(self.network)


@dataclass(frozen=True, kw_only=True)
class BestCheckpoint:
    """What RUN/best.json holds: which checkpoint had the highest accuracy on the validation split."""

    checkpoint: str
    "Relative to the run directory."
    step: int
    "Steps done since the start of training."
    valid_accuracy: float
    "Exact match, 0..1."


@cache
def _adapter(kind: type[_T]) -> TypeAdapter[_T]:
    """Made when it is first needed: each takes milliseconds, and a new run reads no such file before its first step."""
    return TypeAdapter(kind)


def checkpoint_name(epoch: int, step: int) -> str:
    """The file name of the checkpoint after `step` steps of `epoch`, which is counted from 1."""
    return f"warpctc-{epoch}-{step}.ckpt"


def info_file(checkpoint: Path) -> Path:
    """The JSON beside a `.ckpt`."""
    return checkpoint.with_suffix(".json")


def is_checkpoint_file(name: str) -> bool:
    """Whether a file of this name is one of the two files of a checkpoint."""
    return _CHECKPOINT_FILE.fullmatch(name) is not None


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints of a folder, oldest first by (epoch, step)."""
    found = {path: _CHECKPOINT.fullmatch(path.name) for path in folder.glob("warpctc-*.ckpt")}
    finished = [(int(m[1]), int(m[2]), path) for path, m in found.items() if m and info_file(path).is_file()]
    return [path for _, _, path in sorted(finished)]


def find_checkpoint(path: Path) -> Path:
    """A `.ckpt` file as it is, the newest checkpoint of a run directory, or the best one for RUN/best.json.

    Raises `UsageError` when there is none.
    """
    if path.name == BEST_FILE:
        return _best_checkpoint(path)
    return path if path.is_file() else find_checkpoints(path)[-1]


def find_checkpoints(run_dir: Path) -> list[Path]:
    """All finished checkpoints of a run directory, oldest first, at least one; raises `UsageError` when none is."""
    if not run_dir.exists():
        raise UsageError(f"no checkpoint at {run_dir}: the path does not exist")
    folders = RunLayout(run_dir).checkpoint_folders()
    for folder in folders:
        if found := list_checkpoints(folder):
            return found
    searched = " or ".join(map(str, folders))
    raise UsageError(f"no finished checkpoint in {searched}; train first: python -m trainer")


def read_info(path: Path) -> CheckpointInfo:
    """The JSON beside a checkpoint; raises `UsageError` when there is none, `DataLoss` when the pair is damaged."""
    info = read_info_alone(path)
    if not path.is_file():
        raise UsageError(f"no checkpoint at {path}")
    if sha256_of(path) != info.file_sha256:
        beside = info_file(path).name
        raise DataLoss(f"{path} is damaged: its SHA-256 is not the one in {beside}; take another checkpoint")
    return info


def read_info_alone(path: Path) -> CheckpointInfo:
    """As `read_info`, but without a look at the weights."""
    beside = info_file(path)
    try:
        info = _adapter(CheckpointInfo).validate_json(beside.read_bytes())
        info.dataset_spec(), info.network_spec()
    except FileNotFoundError as error:
        raise UsageError(f"{beside} is missing; a checkpoint is a .ckpt with its .json beside it") from error
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        raise DataLoss(f"{beside} cannot be read ({problem}); take another checkpoint") from error
    except (OSError, ValueError, TypeError, UsageError) as error:
        raise DataLoss(f"{beside} cannot be read ({error}); take another checkpoint") from error
    return info


def _best_checkpoint(file: Path) -> Path:
    """The `.ckpt` that a best.json names."""
    try:
        best = _adapter(BestCheckpoint).validate_json(file.read_bytes())
    except FileNotFoundError as error:
        problem = f"{file} does not exist: the run has no validation yet"
        raise UsageError(f"{problem}; give the run directory for its newest checkpoint") from error
    except (OSError, ValidationError) as error:
        raise DataLoss(f"{file} is damaged; give the run directory for its newest checkpoint") from error
    return file.parent / best.checkpoint


def read_config(path: Path) -> dict[str, Any]:
    """The configuration that a checkpoint was trained with; empty where that cannot be known."""
    try:
        config = json.loads(info_file(path).read_bytes())["config"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def sha256_of(path: Path) -> str:
    """Of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
