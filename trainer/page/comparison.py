"""Several runs on one HTML page without scripts or external files: curves, last figures, keys that differ."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared import VERSION
from shared.errors import UsageError
from shared.page.charts import legend
from shared.page.run_curves import draw_curves
from shared.page.run_history import HistoryRow, read_history
from shared.page.texts import duration
from shared.page.web_app import STATIC
from shared.page.web_app import TEMPLATES as BASE_TEMPLATES
from shared.recogniser.run_layout import RunLayout
from shared.system.atomic_file import write_atomic
from trainer.config import TrainerConfig, load_config
from trainer.page.app import TEMPLATES


@dataclass(frozen=True)
class ComparedRun:
    """One run."""

    name: str
    "Its directory as it was given."
    config: Mapping[str, Any]
    "All keys."
    history: Sequence[HistoryRow]
    "At least one row."

    @property
    def best_accuracy(self) -> float | None:
        """The highest of its validations, if it had one."""
        return max((row.valid_accuracy for row in self.history if row.valid_accuracy is not None), default=None)


def run(options: argparse.Namespace) -> int:
    """Writes the page and prints where it is; raises `UsageError` for fewer than two runs."""
    runs = [read_run(path) for path in dict.fromkeys(options.runs)]
    if len(runs) < 2:
        raise UsageError(f"two or more runs are compared, got only {runs[0].name}")
    try:
        write_atomic(options.out, render_comparison(runs))
    except OSError as error:
        raise UsageError(f"cannot write {options.out}: {error.strerror}") from error
    print(options.out)
    return 0


def read_run(path: Path) -> ComparedRun:
    """The run in a directory; raises `UsageError` when there is none, or nothing of it to compare yet."""
    layout = RunLayout(path)
    if not layout.config_file.is_file():
        raise UsageError(f"{path} holds no run: it has no config.yaml; give run directories")
    history = read_history(layout.metrics_file)
    if not history:
        raise UsageError(f"{path} has nothing to compare yet: no line in {layout.metrics_file.name}")
    config: TrainerConfig = load_config({}, layout.config_file, ())
    return ComparedRun(str(path), config.model_dump(mode="json"), history)


def render_comparison(runs: Sequence[ComparedRun]) -> str:
    """HTML; the same for the same runs."""
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, BASE_TEMPLATES, STATIC]), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["duration"] = duration
    environment.globals.update(program="Captcha trainer", version=VERSION)
    return environment.get_template("comparison.html").render(
        runs=runs,
        legends=[legend(f"run-{number}", number) for number in range(len(runs))],
        differing=differing_keys(runs),
        curves=draw_curves({run.name: run.history for run in runs}),
    )


def differing_keys(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """By key, the value in each run, for the keys that are not the same in all."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    values = {key: [_shown(run.config.get(key)) for run in runs] for key in keys}
    return {key: found for key, found in values.items() if len(set(found)) > 1}


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
