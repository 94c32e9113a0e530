"""The curves of one run or several over their steps, the same on every page that shows them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shared.page.charts import Line, Scale, line_chart
from shared.page.run_history import HistoryRow, thinned


@dataclass(frozen=True)
class Curve:
    """One value of a history over steps."""

    name: str
    label: str
    caption: str
    scale: Scale
    value: Callable[[HistoryRow], float | None]


@dataclass(frozen=True)
class DrawnCurve:
    """A chart, and what to write below it."""

    name: str
    svg: Markup
    caption: str


def _longest_wait(row: HistoryRow) -> float | None:
    return max(row.wait_shares, default=None)


CURVES = (
    Curve("loss", "CTC loss", "Loss per sample, the mean of each log interval.", "log", lambda row: row.loss),
    Curve("accuracy", "exact match", "Exact match on split valid while training.", "percent",
          lambda row: row.valid_accuracy),
    Curve("lr", "learning rate", "Learning rate.", "linear", lambda row: row.lr),
    Curve("grad-norm", "gradient norm", "Gradient norm before clipping.", "log", lambda row: row.grad_norm),
    Curve("throughput", "images/s", "Throughput of all ranks together.", "linear", lambda row: row.images_per_s),
    Curve("wait", "waiting", "Share of the time waited for data, of the rank that waited longest.", "percent",
          _longest_wait),
)  # fmt: skip


def draw_curves(
    histories: Mapping[str, Sequence[HistoryRow]], mark: int | None = None, prefix: str = "curve"
) -> list[DrawnCurve]:
    """All curves for which some run has two values; histories: by the name of the run.

    mark: a step to mark; prefix: begins the ids inside the charts.
    """
    drawn = []
    for curve in CURVES:
        found = [_line(name, rows, curve) for name, rows in histories.items()]
        if any(len(line.steps) > 1 for line in found):
            # A run without this value keeps its place, so that a colour means one run in all charts.
            svg = line_chart(f"{prefix}-{curve.name}", curve.label, found, curve.scale, mark)
            drawn.append(DrawnCurve(curve.name, svg, curve.caption))
    return drawn


def _line(name: str, history: Sequence[HistoryRow], curve: Curve) -> Line:
    rows = thinned([row for row in history if curve.value(row) is not None])
    return Line(name, [row.step for row in rows], [value for row in rows if (value := curve.value(row)) is not None])
