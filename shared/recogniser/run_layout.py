"""Where the files of a training run lie. The trainer writes them, the evaluator and the audit read them.

RUN/config.yaml      what was asked, all defaults filled in
RUN/spec.yaml        the data set, where the run started its own service
RUN/metrics.jsonl    one line per log interval
RUN/checkpoints/     warpctc-EPOCH-STEP.ckpt and .json; the configuration may name another folder
RUN/best.json        which checkpoint had the highest accuracy on the validation split
RUN/receipts/        rank-N.jsonl: what each rank consumed
RUN/logs/            output of the processes of several ranks
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BEST_FILE = "best.json"


@dataclass(frozen=True)
class RunLayout:
    """The paths of one run directory."""

    path: Path

    @property
    def config_file(self) -> Path:
        """YAML; a directory without it holds no run."""
        return self.path / "config.yaml"

    @property
    def spec_file(self) -> Path:
        """YAML for --spec, with the paths of the fonts; not there when the data set came from another's service."""
        return self.path / "spec.yaml"

    @property
    def metrics_file(self) -> Path:
        """JSON lines with the step and the means of each log interval."""
        return self.path / "metrics.jsonl"

    @property
    def best_file(self) -> Path:
        """JSON; a run without validation has none."""
        return self.path / BEST_FILE

    @property
    def receipts(self) -> Path:
        """The folder of the receipts."""
        return self.path / "receipts"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.path / "logs"

    def saved_keys(self) -> dict[str, Any]:
        """What config.yaml holds, unchecked; empty when it cannot be read."""
        try:
            config = yaml.safe_load(self.config_file.read_text())
        except Exception:  # PyYAML lets through whatever a value of a wrong form makes of its constructors.
            return {}
        return config if isinstance(config, dict) else {}

    def checkpoint_folders(self) -> list[Path]:
        """Where checkpoints may lie: the folder that the run's configuration names, the default, the run itself."""
        configured = self._configured_folder()
        return list(dict.fromkeys([*configured, self.path / "checkpoints", self.path]))

    def _configured_folder(self) -> Iterator[Path]:
        if isinstance(folder := self.saved_keys().get("save_checkpoint_path"), str):
            yield self.path / folder


def runs_of(checkpoint: Path) -> tuple[RunLayout, RunLayout]:
    """The run directories that a checkpoint may belong to, the likelier one first."""
    return RunLayout(checkpoint.parent.parent), RunLayout(checkpoint.parent)
