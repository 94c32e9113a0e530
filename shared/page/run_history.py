"""A training run over its steps, as its metrics.jsonl tells it. The file may still grow, or end within a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.json_lines import read_json_lines

MAX_POINTS = 400
"A chart cannot show more."
_LARGEST = 1e100
"Of values; an axis of larger ones would end in infinity."


@dataclass(frozen=True)
class HistoryRow:
    """The means over the steps of one log interval. A value that the file does not hold is None."""

    step: int
    "The last of the interval."
    loss: float
    elapsed_s: float = 0.0
    "Training time until here."
    lr: float | None = None
    "Learning rate of the last step."
    grad_norm: float | None = None
    images_per_s: float | None = None
    wait_shares: tuple[float, ...] = ()
    "Time waited for data / time, of each rank."
    valid_accuracy: float | None = None
    "Where a validation was due after this step."


def read_history(metrics_file: Path) -> list[HistoryRow]:
    """All rows by ascending step, without incomplete lines and losses that are not finite; [] without a file."""
    try:
        lines = list(read_json_lines(metrics_file))
    except OSError:
        return []
    return sorted(filter(None, map(_row, lines)), key=lambda row: row.step)


def thinned(rows: Sequence[HistoryRow]) -> Sequence[HistoryRow]:
    """At most about `MAX_POINTS` of them, the last one included."""
    stride = math.ceil(len(rows) / MAX_POINTS) or 1
    return rows[(len(rows) - 1) % stride :: stride]


def _row(values: dict[str, Any]) -> HistoryRow | None:
    try:
        row = HistoryRow(
            step=int(values["step"]),
            loss=float(values["loss"]),
            elapsed_s=float(values.get("elapsed_s", 0.0)),
            lr=_number(values, "lr"),
            grad_norm=_number(values, "grad_norm"),
            images_per_s=_number(values, "images_per_s"),
            wait_shares=tuple(map(float, values.get("rank_wait_shares") or ())),
            valid_accuracy=_number(values, "valid_accuracy"),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    is_shown = 0 <= row.step < _LARGEST and abs(row.loss) < _LARGEST and abs(row.elapsed_s) < _LARGEST
    return row if is_shown else None


def _number(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if value is not None and abs(float(value)) < _LARGEST else None
