"""A training run's directory as the trainer writes it; `RunLayout` says where each file is."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.dataset.spec_file import dump_spec, read_spec_file
from shared.dataset.spec_options import RenderSpec
from shared.errors import UsageError
from shared.json_lines import is_until, read_json_lines
from shared.recogniser.checkpoint_info import BestCheckpoint, list_checkpoints, read_config
from shared.recogniser.run_layout import RunLayout
from shared.system.atomic_file import write_atomic, writing
from shared.system.directory_lock import check_writable
from trainer.config import TrainerConfig, dump_config, load_config

_END_KEYS = "steps", "epoch_size", "early_stop_patience"
"When a run ends: no step before that depends on them, and a resumed run may have another end."


@dataclass(frozen=True)
class MetricsRow:
    """One line of metrics.jsonl: means over the steps since the line before."""

    step: int
    "Steps done since the start of training."
    epoch: int
    "Epochs begun, from 1."
    loss: float
    grad_norm: float
    lr: float
    images_per_s: float
    wait_share: float
    "Time waited for data / time, of the rank that waited longest."
    elapsed_s: float
    "Training time until here, over all restarts."
    rank_wait_shares: list[float]
    "One per rank: a rank without data makes all others wait, but only its own share shows it."
    valid_accuracy: float | None = None
    "Exact match on the validation split, where it was measured after this step."


@dataclass(frozen=True)
class Summary:
    """The result of a finished or interrupted run."""

    steps: int
    "Steps done since the start of training."
    num_steps: int
    "Steps asked for."
    train_s: float
    "Over all restarts."
    images_per_s: float
    wait_share: float
    "Of the rank that waited longest."
    rank_wait_shares: list[float]
    "One per rank."
    checkpoint: str
    "The newest; empty when none was asked for."
    weights_digest: str
    stopped_early: bool = False
    "Whether the run ended because validations did not get better."
    best_step: int | None = None
    "Steps done at the best validation, whose checkpoint RUN/best.json names; None without validation."
    valid_accuracy: float | None = None
    "Of the best validation."


class RunDir(RunLayout):
    """The files of one run."""

    def check_new(self) -> None:
        """Raises `UsageError` when the directory already holds a run."""
        if self.config_file.exists():
            problem = "already holds a run; continue it with --resume or choose another --run-dir"
            raise UsageError(f"{self.path} {problem}")

    def check_writable(self, config: TrainerConfig) -> None:
        """Raises `UsageError` when a file or folder of the run could not be written."""
        folders = self.path, self.receipts, self.checkpoint_folder(config), self.logs
        for path in (*folders, self.metrics_file, *sorted(self.receipts.glob("rank-*.jsonl"))):
            check_writable(path)

    def begin(self, config: TrainerConfig) -> None:
        """Writes the configuration, once; raises `UsageError` when the directory cannot be written."""
        text = dump_config(config)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self.config_file.exists() or self.config_file.read_bytes() != text.encode():
                write_atomic(self.config_file, text)
        except OSError as error:
            raise self.write_error(error) from error

    def write_spec(self, render_spec: RenderSpec) -> None:
        """Notes what the run's own service renders, so that resuming and evaluating can render it again."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomic(self.spec_file, dump_spec(render_spec.spec, render_spec.font_files))
        except OSError as error:
            raise self.write_error(error) from error

    def remove_spec_without_run(self) -> None:
        """Removes what `write_spec` wrote for a run whose first step was never taken."""
        if not self.config_file.exists():
            self.spec_file.unlink(missing_ok=True)

    def font_paths(self) -> dict[str, str]:
        """Where the fonts of the run's own service are, by SHA-256."""
        if not self.spec_file.is_file():
            return {}
        _, files = read_spec_file(self.spec_file)
        return {file.font.sha256: str(file.path) for file in files.files}

    def write_error(self, error: OSError) -> UsageError:
        """The error to raise when the directory cannot be written."""
        return UsageError(f"cannot write the run directory {self.path}: {error.strerror}")

    def reopen(self, file: Path | None, overrides: Sequence[str]) -> TrainerConfig:
        """The configuration of the run to resume; keys given again must have the same value, but for its end."""
        if not self.config_file.is_file():
            raise UsageError(f"nothing to resume in {self.path}: it has no config.yaml; start without --resume")
        if not self.config_file.read_bytes().strip():
            raise UsageError(f"{self.config_file} is empty; put back what it held, or start a new --run-dir")
        saved = load_config({}, self.config_file, ())
        self._check_trained_with(saved)
        asked = load_config(saved.model_dump(mode="json"), file, overrides)
        for key in TrainerConfig.model_fields:
            before, now = getattr(saved, key), getattr(asked, key)
            if before != now and key not in _END_KEYS:
                raise UsageError(f"--resume cannot change {key} from {before} to {now}; start a new --run-dir for that")
        return asked

    def _check_trained_with(self, saved: TrainerConfig) -> None:
        """Raises `UsageError` with each key of config.yaml that was changed since the newest checkpoint."""
        paths = [path for folder in self.checkpoint_folders() for path in reversed(list_checkpoints(folder))]
        path, before = next(((path, config) for path in paths if (config := read_config(path))), (None, {}))
        now = saved.model_dump(mode="json")
        changed = [key for key in now if key in before and before[key] != now[key] and key not in _END_KEYS]
        if changed:
            shown = ", ".join(f"{key} is {now[key]} and was {before[key]}" for key in changed)
            problem = f"{self.config_file} is not the configuration that {path} was trained with: {shown}"
            raise UsageError(f"{problem}; put the old values back, or start a new --run-dir")

    def checkpoint_folder(self, config: TrainerConfig) -> Path:
        """Where the checkpoints of this run lie."""
        return self.path / config.save_checkpoint_path

    def checkpoints(self, config: TrainerConfig) -> list[Path]:
        """The finished ones, oldest first."""
        return list_checkpoints(self.checkpoint_folder(config))

    def write_best(self, best: BestCheckpoint | None) -> None:
        """Writes or, without a best one, removes best.json."""
        if best is None:
            self.best_file.unlink(missing_ok=True)
        else:
            write_atomic(self.best_file, json.dumps(asdict(best), indent=2) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Removes the lines after `step`, which a resumed run will write again."""
        if not self.metrics_file.exists():
            return
        rows = [values for values in read_json_lines(self.metrics_file) if is_until(values.get("step"), step)]
        with writing(self.metrics_file):
            write_atomic(self.metrics_file, "".join(json.dumps(row) + "\n" for row in rows))

    def append_metrics(self, row: MetricsRow) -> None:
        """Adds one line."""
        with writing(self.metrics_file), self.metrics_file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
