"""The charts of the report that only it has: accuracy with intervals, calibration, confusion."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from evaluator.scores import Figures, Score
from shared.page.charts import ACCENT, INK, WARM, chart, step_axis

MAX_CLASSES_WITH_COUNTS = 16
"In a larger confusion matrix the counts are too small to read."


def accuracy_chart(scores: Sequence[tuple[int, Score]]) -> Markup:
    """Exact match of each checkpoint, by step, with its interval."""
    description = "Exact match by step: " + ", ".join(f"{step:,}: {score.accuracy:.2%}" for step, score in scores)
    with chart("checkpoints", description) as drawn:
        _intervals(drawn.axes, [step for step, _ in scores], [score for _, score in scores], joined=True)
        step_axis(drawn.axes)
        drawn.axes.set(ylabel="exact match")
        drawn.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return drawn.svg


def length_chart(figures: Figures) -> Markup:
    """Exact match by the number of characters in the truth, with its interval."""
    description = ", ".join(f"{length}: {score.accuracy:.2%}" for length, score in figures.by_length.items())
    with chart("length", f"Exact match by number of characters: {description}") as drawn:
        lengths, scores = [*figures.by_length], [*figures.by_length.values()]
        _intervals(drawn.axes, lengths, scores, joined=False)
        drawn.axes.set(xlabel="characters in the image", ylabel="exact match", xticks=lengths)
        drawn.axes.margins(x=0.15)
        drawn.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return drawn.svg


def calibration_chart(figures: Figures) -> Markup:
    """How often predictions of a confidence are correct; on the diagonal confidence equals accuracy."""
    bins = figures.calibration
    description = ", ".join(f"at {each.mean_confidence:.0%} {each.score.accuracy:.0%} correct" for each in bins)
    with chart("calibration", f"Confidence against accuracy: {description}") as drawn:
        drawn.axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":")
        _intervals(drawn.axes, [each.mean_confidence for each in bins], [each.score for each in bins], joined=False)
        drawn.axes.set(xlabel="confidence (dotted: equal)", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.03))
        drawn.axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        drawn.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return drawn.svg


def confusion_chart(figures: Figures) -> Markup:
    """Truth by prediction as a heat map of the errors; correct ones, which are far more, are left out."""
    counts = figures.confusion
    errors = counts - np.diag(np.diag(counts))
    description = f"Heat map of {int(errors.sum()):,} character errors, truth by prediction; the table shows the same"
    classes = len(counts)
    with chart("confusion", description, height_in=4.8) as drawn:
        shade = np.sqrt(errors / max(1, errors.max()))
        for row, column in zip(*np.nonzero(errors), strict=True):
            # Never solid: ink stays readable on it, on light and on dark ground.
            alpha = 0.08 + 0.42 * float(shade[row, column])
            cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=WARM, alpha=alpha, linewidth=0)
            drawn.axes.add_patch(cell)
        if classes <= MAX_CLASSES_WITH_COUNTS:
            _write_counts(drawn.axes, errors)
        _frame_confusion(drawn.axes, figures.confused)
    return drawn.svg


def _write_counts(axes: Axes, errors: NDArray[np.int64]) -> None:
    classes, digits = len(errors), len(str(errors.max()))
    size = min(9.5, 450 / classes / digits)  # So that the longest fits its cell, 270 pixels / classes wide.
    for row, column in zip(*np.nonzero(errors), strict=True):
        axes.text(column, row, f"{errors[row, column]}", ha="center", va="center", fontsize=size)


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
