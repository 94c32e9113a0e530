"""The report as one HTML page without scripts or external files, for light and dark mode, keyboard and screen reader.

The page itself is templates/report.html; this module computes its values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluator.evaluate import Evaluation
from evaluator.report.charts import (
    accuracy_chart,
    calibration_chart,
    confusion_chart,
    length_chart,
    loss_chart,
    validation_chart,
)
from evaluator.report.error_examples import ErrorExample
from evaluator.report.loss_history import Point, thinned
from evaluator.scores import Figures

NUM_CONFUSIONS = 6
"Of the most frequent ones, listed in words."


def render_page(
    evaluation: Evaluation,
    evaluations: Sequence[Evaluation],
    examples: Sequence[ErrorExample],
    history: Sequence[Point],
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
        examples=examples,
        history=history,
        run=run,
        alphabet=alphabet,
        confusions=frequent_confusions(figures),
        loss_chart=loss_chart(thinned(history), evaluation.info.global_step) if history else None,
        validation_chart=validation_chart(history, evaluation.info.global_step),
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
