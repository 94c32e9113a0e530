"""The report as one HTML page without scripts or external files, for light and dark mode, keyboard and screen reader.

The page itself is templates/report.html; this module computes its values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluator.evaluate import Evaluation
from evaluator.report.charts import accuracy_chart, calibration_chart, confusion_chart, length_chart
from evaluator.report.examples import Example
from evaluator.report.training import Training
from evaluator.scores import Figures
from shared.page.run_curves import draw_curves

NUM_CONFUSIONS = 6
"Of the most frequent ones, listed in words."


@dataclass(frozen=True)
class Gallery:
    """The predictions that are shown one by one."""

    worst: Sequence[Example]
    "Errors, the highest loss first."
    right: Sequence[Example]


def render_page(
    evaluation: Evaluation,
    evaluations: Sequence[Evaluation],
    gallery: Gallery,
    training: Training,
    run: Mapping[str, Any],
) -> str:
    """HTML; the same for the same arguments. evaluations: of every checkpoint; run: see `configuration`."""
    environment = Environment(
        loader=PackageLoader("evaluator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = lambda value, digits=2: f"{value:.{digits}%}"
    figures, alphabet = evaluation.figures, evaluation.alphabet
    by_step = sorted(evaluations, key=lambda each: each.info.global_step)
    scores = [(each.info.global_step, each.figures.total) for each in by_step]
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        figures=figures,
        total=figures.total,
        evaluations=by_step,
        gallery=gallery,
        training=training,
        settings=training.settings(evaluation.info),
        run=run,
        alphabet=alphabet,
        confusions=frequent_confusions(figures),
        curves=draw_curves({"": training.history}, evaluation.info.global_step),
        accuracy_chart=accuracy_chart(scores) if len(scores) > 1 else None,
        length_chart=length_chart(figures),
        calibration_chart=calibration_chart(figures),
        confusion_chart=confusion_chart(figures),
    )


def frequent_confusions(figures: Figures) -> list[tuple[str, str, int]]:
    """(true character, predicted character, times) of the most frequent errors; an empty string means none."""
    names = [*figures.confused, ""]
    counts = figures.confusion
    errors = [
        (names[row], names[column], int(counts[row, column]))
        for row in range(len(names))
        for column in range(len(names))
        if row != column and counts[row, column]
    ]
    return sorted(errors, key=lambda error: -error[2])[:NUM_CONFUSIONS]
