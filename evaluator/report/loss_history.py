"""How the run went that a checkpoint belongs to, from its metrics.jsonl; nothing when the checkpoint lies elsewhere."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_POINTS = 400
"More would not be seen in a chart."


@dataclass(frozen=True)
class Point:
    """The training loss around a step."""

    step: int
    loss: float
    elapsed_s: float


def read_history(checkpoint: Path) -> Sequence[Point]:
    """At most about `MAX_POINTS` points by ascending step; lines that a crash tore, and losses that are no number, are
    left out."""
    for folder in (checkpoint.parent.parent, checkpoint.parent):
        try:
            lines = (folder / "metrics.jsonl").read_text(errors="replace").splitlines()
        except OSError:
            continue
        points = sorted(filter(None, map(_point, lines)), key=lambda point: point.step)
        stride = math.ceil(len(points) / MAX_POINTS) or 1
        return points[stride - 1 :: stride]
    return []


def _point(line: str) -> Point | None:
    try:
        row: dict[str, Any] = json.loads(line)
        point = Point(int(row["step"]), float(row["loss"]), float(row.get("elapsed_s", 0.0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return point if math.isfinite(point.loss) and math.isfinite(point.elapsed_s) else None
