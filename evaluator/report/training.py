"""How the network was trained: the settings and the log lines of the run that a checkpoint belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.page.run_history import HistoryRow, read_history
from shared.page.texts import alphabet_text
from shared.recogniser.checkpoint_info import CheckpointInfo
from shared.recogniser.run_layout import runs_of


@dataclass(frozen=True)
class Training:
    """Both are empty for a checkpoint that lies in no run directory."""

    config: Mapping[str, Any]
    "What config.yaml holds, not checked."
    history: Sequence[HistoryRow]

    def settings(self, info: CheckpointInfo) -> dict[str, str]:
        """For people, by name; what only the configuration knows is left out when there is none."""
        get, texts = self.config.get, {}
        if get("optimizer"):
            texts["Optimizer"] = (
                f"{get('optimizer')}, momentum {get('momentum')}, gradients clipped to {get('clip_norm')}"
            )
        if get("learning_rate"):
            texts["Learning rate"] = self._learning_rate()
        ranks = f"{info.ranks} rank{'s' if info.ranks > 1 else ''}"
        texts["Batch"] = f"{info.global_batch_size:,} samples a step, on {ranks}"
        texts["Steps"] = f"{info.global_step:,}, in epoch {info.epoch}, {info.elapsed_s:,.0f} s"
        texts["Trained on"] = f"{info.split_count:,} samples, {_pictures(info.dataset)}"
        if get("seed") is not None:
            texts["Seed"] = f"{get('seed')} of weights and order, {info.dataset.get('seed')} of samples"
        return texts

    def _learning_rate(self) -> str:
        get = self.config.get
        after = f" after {get('warmup_steps')} warm-up steps" if get("warmup_steps") else ""
        epochs = get("decay_epochs")
        course = f"times 0.1 every {epochs} epochs" if epochs else "then half a cosine to zero"
        return f"{get('learning_rate')}{after}, {course}"


def read_training(checkpoint: Path) -> Training:
    """Of the run that the checkpoint lies in; empty when there is none, or its files cannot be read."""
    for run in runs_of(checkpoint):
        config, history = run.saved_keys(), read_history(run.metrics_file)
        if config or history:
            return Training(config, history)
    return Training({}, [])


def _pictures(dataset: Mapping[str, Any]) -> str:
    get = dataset.get
    characters = f"{get('min_length')} to {get('max_length')} of {alphabet_text(str(get('alphabet')))}"
    return f"{get('width')}x{get('height')} pixels, {characters}, {_style(get('styles'))}"


def _style(styles: Any) -> str:
    """styles: of a spec; None: it has the default one."""
    if styles is None:
        return "default style"
    if not styles:
        return "imported pictures"
    changed = [", ".join(f"{key} {value}" for key, value in dict(style).items()) or "default" for style in styles]
    return f"style {changed[0]}" if len(changed) == 1 else f"{len(changed)} styles: {'; '.join(changed)}"
