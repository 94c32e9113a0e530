"""The report of an evaluation as files: report.json, timing.json and the page index.html.

Note: report.json and index.html are the same bytes whenever the same checkpoint is evaluated on the same samples. What
depends on the machine and the moment (seconds, batch size) is in timing.json.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluator.evaluate import Evaluation
from evaluator.report.examples import examples_of, worst_errors
from evaluator.report.html_page import Gallery, render_page
from evaluator.report.report_json import configuration, full_report
from evaluator.report.training import read_training
from shared.client import DatasetClient
from shared.errors import UsageError
from shared.system.atomic_file import write_atomic
from shared.system.directory_lock import check_writable, make_directory

_FILES = "index.html", "report.json", "timing.json"


def prepare_folder(folder: Path) -> None:
    """Makes the folder of a report before the work; raises `UsageError` when nothing can be written there."""
    make_directory(folder)
    for path in (folder, *(folder / name for name in _FILES)):
        check_writable(path)


def write_report(
    evaluation: Evaluation, evaluations: Sequence[Evaluation], client: DatasetClient, folder: Path
) -> Path:
    """Writes the three files, each complete or not at all; returns the page. Raises `UsageError` when it cannot.

    evaluations: of every checkpoint; client: where the images of the samples come from.
    """
    figures, split, alphabet = evaluation.figures, evaluation.split, evaluation.alphabet
    gallery = Gallery(
        worst=examples_of(worst_errors(figures.errors), split, alphabet, client),
        right=examples_of(figures.right, split, alphabet, client),
    )
    training = read_training(evaluation.checkpoint)
    page = render_page(evaluation, evaluations, gallery, training, configuration(evaluation))
    texts = page, _json(full_report(evaluation, evaluations)), _json(_timing(evaluation))
    for name, text in reversed(list(zip(_FILES, texts, strict=True))):
        _write(folder / name, text)
    return folder / _FILES[0]


def _timing(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "time_s": round(evaluation.time_s, 3),
        "images_per_s": round(evaluation.images_per_s, 1),
        "batch_size": evaluation.batch_size,
    }


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        write_atomic(path, text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
