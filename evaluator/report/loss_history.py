"""Loss and validations of the run that a checkpoint belongs to, from its metrics.jsonl; empty when there is none."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.recogniser.run_layout import runs_of

MAX_POINTS = 400
"A chart cannot show more."


@dataclass(frozen=True)
class Point:
    """The training loss around a step."""

    step: int
    loss: float
    elapsed_s: float
    valid_accuracy: float | None = None
    "Exact match on the validation split after this step, where it was measured."


def read_history(checkpoint: Path) -> Sequence[Point]:
    """All points by ascending step, without incomplete lines and losses that are not finite."""
    for run in runs_of(checkpoint):
        try:
            lines = run.metrics_file.read_text(errors="replace").splitlines()
        except OSError:
            continue
        return sorted(filter(None, map(_point, lines)), key=lambda point: point.step)
    return []


def thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most about `MAX_POINTS` of them, the last one among these."""
    stride = math.ceil(len(points) / MAX_POINTS) or 1
    return points[::-1][::stride][::-1]


def _point(line: str) -> Point | None:
    try:
        row: dict[str, Any] = json.loads(line)
        accuracy = row.get("valid_accuracy")
        elapsed_s, valid = float(row.get("elapsed_s", 0.0)), None if accuracy is None else float(accuracy)
        point = Point(int(row["step"]), float(row["loss"]), elapsed_s, valid)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return point if math.isfinite(point.loss) and math.isfinite(point.elapsed_s) else None
