"""What an evaluation leaves behind: the JSON line, report.json, timing.json and the page.

What surprises: report.json and index.html are the same bytes whenever the same checkpoint reads the same samples. What
depends on the machine and the moment (seconds, batch size, ranks) stands in timing.json.
"""

import json
import math
import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evaluator.evaluate import Evaluation
from evaluator.report.error_examples import exhibits_of
from evaluator.report.html_page import render_page
from evaluator.report.loss_history import read_history
from evaluator.scores import Misreading, Score
from shared import VERSION
from shared.client import DatasetClient
from shared.errors import UsageError

_VERSIONED = ("mindspore", "numpy")


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """The keys that `--json` promises; report.json begins with them."""
    figures = evaluation.figures
    return {
        **_score(figures.total),
        "by_length": {str(length): _score(score) for length, score in figures.by_length.items()},
        "character_error_rate": figures.character_error_rate,
        "loss": _finite(figures.loss),
        "fingerprint": evaluation.dataset.fingerprint,
        "checkpoint": str(evaluation.checkpoint),
    }


def full_report(evaluation: Evaluation, tried: Sequence[Evaluation]) -> dict[str, Any]:
    """Everything there is to tell but seconds; tried: every checkpoint read with, the chosen one among them."""
    return {
        **summary(evaluation),
        "configuration": configuration(evaluation),
        "checkpoints": [
            {"checkpoint": str(each.checkpoint), "step": each.info.global_step, **_score(each.figures.total)}
            for each in tried
        ],
        "confusion": _confusion(evaluation),
        "calibration": _calibration(evaluation),
        "errors": [_error(misread) for misread in evaluation.figures.misread],
    }


def prepare_folder(folder: Path) -> None:
    """Makes the folder of a report, before the work rather than after; raises `UsageError` when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the report folder {folder}: {error.strerror}") from error


def write_report(evaluation: Evaluation, tried: Sequence[Evaluation], client: DatasetClient, folder: Path) -> Path:
    """Writes the three files, each whole or not at all; returns the page. Raises `UsageError` when it cannot.

    client: where the pictures of the worst errors come from.
    """
    exhibits = exhibits_of(evaluation.figures.misread, evaluation.split, client)
    page = render_page(evaluation, tried, exhibits, read_history(evaluation.checkpoint), configuration(evaluation))
    _replace(folder / "timing.json", _json(_timing(evaluation)))
    _replace(folder / "report.json", _json(full_report(evaluation, tried)))
    _replace(folder / "index.html", page)
    return folder / "index.html"


def configuration(evaluation: Evaluation) -> dict[str, Any]:
    """What was run with which data."""
    return {
        "command": _command(evaluation),
        "split": evaluation.split,
        "device": evaluation.device,
        "dataset": asdict(evaluation.dataset.spec),
        "counts": dict(evaluation.dataset.counts),
        "checkpoint": asdict(evaluation.info),
        "versions": {"evaluator": VERSION, "python": platform.python_version()}
        | {name: version(name) for name in _VERSIONED},
        "machine": platform.machine(),
    }


def _command(evaluation: Evaluation) -> str:
    """Reads the same samples with the same checkpoint again."""
    words = ["python", "-m", "evaluator", "--ckpt", str(evaluation.checkpoint), "--split", evaluation.split]
    return shlex.join(words if evaluation.device == "cpu" else [*words, "--device", evaluation.device])


def _timing(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "time_s": round(evaluation.time_s, 3),
        "images_per_s": round(evaluation.images_per_s, 1),
        "batch_size": evaluation.batch_size,
        "ranks": evaluation.ranks,
    }


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f"unfinished-{path.name}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _score(score: Score) -> dict[str, Any]:
    return {
        "accuracy": score.accuracy,
        "correct": score.correct,
        "samples": score.samples,
        "ci95": list(score.ci95),
    }


def _error(misread: Misreading) -> dict[str, Any]:
    return {
        "index": misread.index,
        "truth": misread.truth,
        "reading": misread.reading,
        "confidence": _finite(misread.confidence),
        "loss": _finite(misread.loss),
    }


def _confusion(evaluation: Evaluation) -> dict[str, Any]:
    """Truth by reading; the last row counts characters read that are not there, the last column those left out."""
    alphabet = evaluation.dataset.spec.alphabet
    return {"truth": [*alphabet, ""], "reading": [*alphabet, ""], "counts": evaluation.figures.confusion.tolist()}


def _calibration(evaluation: Evaluation) -> dict[str, Any]:
    figures = evaluation.figures
    return {
        "error": _finite(figures.calibration_error),
        "bins": [
            {"mean_confidence": _finite(each.mean_confidence), **_score(each.score)} for each in figures.calibration
        ],
    }


def _finite(value: float) -> float | None:
    """None for what JSON cannot hold."""
    return value if math.isfinite(value) else None
