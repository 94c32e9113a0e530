"""The configuration of a training run: one flat table of keys, the published example's names first.

Values come from a preset, then a YAML file, then `-o KEY=VALUE`; later ones win. Note: `batch_size` is per rank, as
published; give `global_batch_size` to fix the global batch for any number of ranks.
"""

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.dataset.spec import MAX_LENGTH, DatasetSpec
from shared.errors import UsageError
from shared.protocol.codec import Codec

_IN_SPEC = {"max_captcha_digits": "max_length", "captcha_width": "width", "captcha_height": "height"}


class TrainerConfig(BaseModel):
    """All keys with their defaults, which are the `fast` preset's, and a description of each."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    max_captcha_digits: int | None = Field(None, ge=1, le=MAX_LENGTH)
    """Most characters in an image; null: the data set's. The embedded service renders what is given here."""
    captcha_width: int | None = Field(None, ge=16, le=1024)
    """Pixels; null: the data set's."""
    captcha_height: int | None = Field(None, ge=16, le=1024)
    """Pixels; null: the data set's."""
    batch_size: int = Field(64, ge=1, le=4096)
    """Samples per rank and step."""
    epoch_size: int = Field(1, ge=1)
    """Epochs to train for when `steps` is null."""
    hidden_size: int = Field(256, ge=1, le=4096)
    """Units of each LSTM layer."""
    learning_rate: float = Field(0.002, gt=0)
    """The highest, reached after `warmup_steps`; from there it is lowered as `decay_epochs` says."""
    momentum: float = Field(0.9, gt=0, lt=1)
    """Of SGD; for Adam, the decay of its mean gradient (beta 1)."""
    save_checkpoint: bool = True
    """Whether checkpoints are written; without them a run cannot be resumed or evaluated."""
    save_checkpoint_steps: int = Field(500, ge=1)
    """Steps between checkpoints; one more is written after the last step."""
    keep_checkpoint_max: int = Field(30, ge=1)
    """How many checkpoints are kept: the newest ones, and the best one besides."""
    save_checkpoint_path: str = Field("checkpoints", min_length=1)
    """A folder, relative to the run directory."""

    global_batch_size: int | None = Field(None, ge=1, le=65_536)
    """Samples per step over all ranks; default batch_size * ranks."""
    steps: int | None = Field(3000, ge=1)
    """Steps to train for in all; null: `epoch_size` epochs."""
    seed: int = Field(0, ge=0, le=2**31 - 1)
    """Of the initial weights and of the order of samples; the seed of the samples themselves is the service's."""
    shuffle: bool = True
    """Whether each epoch has another order of samples."""
    warmup_steps: int = Field(100, ge=0)
    """Steps during which the learning rate rises from zero."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """How gradients become updates."""
    beta2: float = Field(0.999, gt=0, lt=1)
    """For Adam, the decay of its mean squared gradient (beta 2)."""
    decay_epochs: int | None = Field(None, ge=1)
    """The learning rate is multiplied by 0.1 at the start of epochs n, 2n, 3n, ..., counted from 1; null: it falls to
    zero along half a cosine over all steps."""
    scale_learning_rate: bool = False
    """Whether `learning_rate` is multiplied by the number of ranks."""
    loss_reduction: Literal["mean", "sum"] = "mean"
    """Which loss is minimised: the mean over a rank's batch, or the sum."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients with a larger global norm are scaled down to it."""
    clip_each_rank: bool = False
    """Whether each rank clips its own gradients before the mean over ranks; otherwise the mean is clipped."""
    features: Literal["columns", "convolution"] = "columns"
    """Input of the LSTM per time step: raw image columns, or the output of four convolutions over the image, resized to
    32 rows and in colour."""
    columns_per_frame: int = Field(4, ge=1)
    """Raw image columns read in one time step."""
    second_layer: Literal["forward", "backward", "parallel"] = "backward"
    """The direction in which the second LSTM layer reads; parallel: backward, beside the first layer, not after it, and
    the classifier sees the frames too."""
    pixels: Literal["ink", "colour"] = "ink"
    """Input per pixel with raw columns: its amount of ink, or its three colours, normalised as published."""
    initial_weights: Literal["orthogonal", "uniform", "small"] = "orthogonal"
    """How initial weights are drawn; uniform as published; small: uniform too, but the classifier's of either sign."""
    init_from: str | None = None
    """A checkpoint whose weights the run starts with, where they fit; --init-from sets it."""
    freeze: tuple[str, ...] = ()
    """Parts of the network that are not trained, joined by commas: how the names of their parameters begin."""
    augment: Literal["none", "light", "strong"] = "none"
    """How much training images are altered, anew in every epoch. For small data sets."""
    validate_steps: int | None = Field(500, ge=1)
    """Steps between validations on the split `valid`, and one more after the last step; null: none. A data set
    without that split is not validated."""
    validate_samples: int = Field(1000, ge=1)
    """At most so many samples of the split are used, always the first ones."""
    early_stop_patience: int | None = Field(None, ge=1)
    """The run ends after so many validations in a row without a higher accuracy; null: it takes all its steps."""
    log_steps: int = Field(50, ge=1)
    """Steps between lines of metrics.jsonl."""
    tensorboard: bool = False
    """Whether TensorBoard event files are written beside metrics.jsonl, in tensorboard/; needs tensorboardX."""
    codec: Codec | None = None
    """Encoding of images on the wire: raw, zstd or png; null: the first that the service offers."""
    prefetch: int = Field(4, ge=1, le=64)
    """Batches that a rank fetches ahead of the training step."""
    train_samples: int = Field(192_000, ge=1, le=2**48)
    """Size of the train split of the embedded service; unused with --datagen. The default: one epoch of 3,000 steps."""

    @field_validator("freeze", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def for_ranks(self, ranks: int) -> Self:
        """With the global batch size for `ranks` ranks filled in; a run resumed on another number of ranks keeps it."""
        return self.model_copy(update={"global_batch_size": self.global_batch_size or self.batch_size * ranks})

    def spec_values(self) -> dict[str, int]:
        """What these keys say of a data set, by the names of `DatasetSpec`."""
        values = {name: getattr(self, key) for key, name in _IN_SPEC.items()}
        return {name: value for name, value in values.items() if value is not None}

    def for_dataset(self, spec: DatasetSpec) -> Self:
        """With the data set's values for the keys that nobody gave; `UsageError` names all that contradict it."""
        facts = {key: getattr(spec, name) for key, name in _IN_SPEC.items()}
        given = {key: getattr(self, key) for key in facts if getattr(self, key) is not None}
        wrong = [
            f"{key} {value} (the data set's is {facts[key]})" for key, value in given.items() if value != facts[key]
        ]
        if wrong:
            raise UsageError(f"configuration and data set differ: {', '.join(wrong)}; leave such keys out")
        return self.model_copy(update=facts)

    def digest(self) -> str:
        """SHA-256 over all keys and values."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_config(preset: Mapping[str, Any], file: Path | None, overrides: Iterable[str]) -> TrainerConfig:
    """The configuration of a run; raises `UsageError` that names the first bad key and the nearest known one."""
    values = dict(preset)
    if file is not None:
        values |= _read_yaml(file)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise UsageError(f"-o wants KEY=VALUE, got {override!r}")
        values[key.strip()] = _parse(text, override)
    try:
        return TrainerConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(error)) from error


def dump_config(config: TrainerConfig) -> str:
    """YAML with all defaults filled in; `load_config` reads it back."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    return text


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text())
    except OSError as error:
        raise UsageError(f"cannot read the configuration {file}: {error.strerror}") from error
    except Exception as error:  # PyYAML lets through whatever a value of a wrong form makes of its constructors.
        raise UsageError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{file} must hold keys and values, got a {type(values).__name__}")
    return {str(key): value for key, value in values.items()}


def _parse(text: str, override: str) -> Any:
    try:
        return yaml.safe_load(text)
    except Exception as error:  # See `_read_yaml`.
        raise UsageError(f"-o {override}: the value is not YAML") from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, TrainerConfig.model_fields, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(TrainerConfig.model_fields)}"
        return f"unknown configuration key {key!r}; {hint}"
    problem = first["msg"][0].lower() + first["msg"][1:]
    return f"configuration key {key}: {problem}, got {first['input']!r}"
