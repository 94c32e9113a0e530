"""The charts of the report, drawn by Matplotlib as SVG inside the page.

Note: no colour is fixed. Each is a placeholder that becomes a CSS variable of the page, so one drawing is used in light
and dark mode. Text stays text, in the page's own font. Equal figures give equal bytes.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import NDArray

from evaluator.report.loss_history import Point
from evaluator.scores import Figures, Score

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # It prints about its font cache.

INK, LINE, ACCENT, WARM = "#000001", "#000002", "#000003", "#000004"
_VARIABLES = {INK: "var(--ink)", LINE: "var(--line)", ACCENT: "var(--accent)", WARM: "var(--warm)"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "captcha",
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.constrained_layout.use": True,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
MAX_CLASSES_WITH_COUNTS = 16
"In a larger confusion matrix the counts are too small to read."


class _Chart:
    """What `_chart` yields: axes to draw on, and afterwards the drawing."""

    axes: Axes
    svg: Markup


@contextmanager
def _chart(name: str, description: str, height_in: float = 3.2) -> Iterator[_Chart]:
    """name: a word of its own, for the ids; description: for screen readers."""
    chart = _Chart()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5, height_in))
        chart.axes = figure.add_subplot()
        yield chart
        file = io.StringIO()
        with warnings.catch_warnings():
            # The page's own fonts draw the text; Matplotlib only needs its width.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    chart.svg = Markup(_for_page(file.getvalue(), name, str(Markup.escape(description))))  # noqa: S704 - Matplotlib escapes its text.


def _for_page(svg: str, name: str, description: str) -> str:
    svg = svg[svg.index("<svg") :]
    for ink, variable in _VARIABLES.items():
        svg = svg.replace(ink, variable)
    # Ids must be unique on the page, and the page's own font and width shall hold.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    size = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
    return size.sub(rf'<svg class="chart" role="img" aria-label="{description}" viewBox="\1">', svg, count=1)


def loss_chart(history: Sequence[Point], step: int) -> Markup:
    """Training loss over steps, on a logarithmic scale; step: where the checkpoint was taken."""
    steps, losses = [point.step for point in history], [point.loss for point in history]
    description = f"Training loss over {steps[-1]:,} steps: from {losses[0]:.3g} to {losses[-1]:.3g}"
    with _chart("loss", description) as chart:
        chart.axes.plot(steps, losses, color=ACCENT, linewidth=1.8)
        if min(losses) > 0:
            chart.axes.set_yscale("log")
            chart.axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            chart.axes.yaxis.set_minor_formatter(NullFormatter())
        chart.axes.axvline(step, color=WARM, linewidth=1.2, linestyle="--")
        chart.axes.set(xlabel="step (dashed: this checkpoint)", ylabel="CTC loss per sample")
    return chart.svg


def validation_chart(history: Sequence[Point], step: int) -> Markup | None:
    """Exact match on the validation split while training; None when it was measured less than twice."""
    points = [(point.step, point.valid_accuracy) for point in history if point.valid_accuracy is not None]
    if len(points) < 2:
        return None
    best_step, best = max(points, key=lambda point: point[1])
    description = f"Validation while training, {len(points)} times: {best:.2%} at best, after {best_step:,} steps"
    with _chart("validation", description) as chart:
        chart.axes.plot(*zip(*points, strict=True), color=ACCENT, linewidth=1.8, marker="o", markersize=3)
        chart.axes.axvline(step, color=WARM, linewidth=1.2, linestyle="--")
        chart.axes.set(xlabel="step (dashed: this checkpoint)", ylabel="exact match, validation")
        chart.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return chart.svg


def accuracy_chart(scores: Sequence[tuple[int, Score]]) -> Markup:
    """Exact match of each checkpoint, by step, with its interval."""
    description = "Exact match by step: " + ", ".join(f"{step:,}: {score.accuracy:.2%}" for step, score in scores)
    with _chart("accuracy", description) as chart:
        _intervals(chart.axes, [step for step, _ in scores], [score for _, score in scores], joined=True)
        chart.axes.set(xlabel="step", ylabel="exact match")
        chart.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return chart.svg


def length_chart(figures: Figures) -> Markup:
    """Exact match by the number of characters in the truth, with its interval."""
    description = ", ".join(f"{length}: {score.accuracy:.2%}" for length, score in figures.by_length.items())
    with _chart("length", f"Exact match by number of characters: {description}") as chart:
        lengths, scores = [*figures.by_length], [*figures.by_length.values()]
        _intervals(chart.axes, lengths, scores, joined=False)
        chart.axes.set(xlabel="characters in the image", ylabel="exact match", xticks=lengths)
        chart.axes.margins(x=0.15)
        chart.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return chart.svg


def calibration_chart(figures: Figures) -> Markup:
    """How often predictions of a confidence are correct; on the diagonal confidence equals accuracy."""
    bins = figures.calibration
    description = ", ".join(f"at {each.mean_confidence:.0%} {each.score.accuracy:.0%} correct" for each in bins)
    with _chart("calibration", f"Confidence against accuracy: {description}") as chart:
        chart.axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":")
        _intervals(chart.axes, [each.mean_confidence for each in bins], [each.score for each in bins], joined=False)
        chart.axes.set(xlabel="confidence (dotted: equal)", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.03))
        chart.axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        chart.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return chart.svg


def confusion_chart(figures: Figures) -> Markup:
    """Truth by prediction as a heat map of the errors; correct ones, which are far more, are left out."""
    counts = figures.confusion
    errors = counts - np.diag(np.diag(counts))
    description = f"Heat map of {int(errors.sum()):,} character errors, truth by prediction; the table shows the same"
    classes = len(counts)
    with _chart("confusion", description, height_in=4.8) as chart:
        shade = np.sqrt(errors / max(1, errors.max()))
        for row, column in zip(*np.nonzero(errors), strict=True):
            # Never solid: ink stays readable on it, on light and on dark ground.
            alpha = 0.08 + 0.42 * float(shade[row, column])
            cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=WARM, alpha=alpha, linewidth=0)
            chart.axes.add_patch(cell)
        if classes <= MAX_CLASSES_WITH_COUNTS:
            _write_counts(chart.axes, errors)
        _frame_confusion(chart.axes, figures.confused)
    return chart.svg


def _write_counts(axes: Axes, errors: NDArray[np.int64]) -> None:
    for row, column in zip(*np.nonzero(errors), strict=True):
        axes.text(column, row, f"{errors[row, column]}", ha="center", va="center", fontsize=9.5)


def _frame_confusion(axes: Axes, characters: str) -> None:
    classes = len(characters) + 1
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), aspect="equal")
    size = min(11.0, 280 / classes)
    axes.set_xticks(range(classes), [*characters, "deleted"], fontsize=size)
    axes.set_yticks(range(classes), [*characters, "inserted"], fontsize=size)
    axes.set(xlabel="prediction", ylabel="truth")
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.get_xticklabels()[-1].set_rotation(90)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(visible=False, which="major")
    axes.grid(visible=True, which="minor")


def _intervals(axes: Axes, places: Sequence[float], scores: Sequence[Score], joined: bool) -> None:
    """Points with their 95% intervals."""
    heights = np.array([score.accuracy for score in scores])
    low, high = np.array([score.ci95 for score in scores]).T
    # Rounding may leave a bound a hair on the wrong side of its point.
    distances = np.maximum([heights - low, high - heights], 0.0)
    line = "-" if joined else "none"
    axes.errorbar(places, heights, yerr=distances, color=ACCENT, marker="o", markersize=5, capsize=3, linestyle=line)
