"""The figures as JSON: the line that `--json` prints, and report.json.

Note: the keys are promises to scripts; `reading` is the network's prediction.
"""

import math
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from evaluator.evaluate import Evaluation
from evaluator.scores import SamplePrediction, Score
from shared import VERSION

_VERSIONED = ("mindspore", "numpy", "onnxruntime")


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """The keys that `--json` promises; report.json begins with them."""
    figures = evaluation.figures
    return {
        **_score(figures.total),
        "by_length": {str(length): _score(score) for length, score in figures.by_length.items()},
        "character_error_rate": figures.character_error_rate,
        "loss": _finite(figures.loss),
        "fingerprint": evaluation.dataset.fingerprint,
        "trained_fingerprint": evaluation.info.fingerprint,
        "checkpoint": str(evaluation.checkpoint),
    }


def full_report(evaluation: Evaluation, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """All figures but seconds; evaluations: of every checkpoint, the chosen one among them."""
    return {
        **summary(evaluation),
        "configuration": configuration(evaluation),
        "checkpoints": [
            {"checkpoint": str(each.checkpoint), "step": each.info.global_step, **_score(each.figures.total)}
            for each in evaluations
        ],
        "confusion": _confusion(evaluation),
        "calibration": _calibration(evaluation),
        "errors": [_error(error) for error in evaluation.figures.errors],
    }


def configuration(evaluation: Evaluation) -> dict[str, Any]:
    """What was run, on which data."""
    return {
        "command": _command(evaluation),
        "split": evaluation.split,
        "device": evaluation.device,
        "dataset": evaluation.dataset.spec.to_mapping(),
        "counts": dict(evaluation.dataset.counts),
        "checkpoint": asdict(evaluation.info),
        "versions": {"evaluator": VERSION, "python": platform.python_version()}
        | {name: version(name) for name in _VERSIONED},
        "machine": platform.machine(),
    }


def _command(evaluation: Evaluation) -> str:
    """The command that gives the same figures again."""
    command = ["python", "-m", "evaluator", "--ckpt", str(evaluation.checkpoint), "--split", evaluation.split]
    return shlex.join(command if evaluation.device == "cpu" else [*command, "--device", evaluation.device])


def _score(score: Score) -> dict[str, Any]:
    return {
        "accuracy": score.accuracy,
        "correct": score.correct,
        "samples": score.samples,
        "ci95": list(score.ci95),
    }


def _error(error: SamplePrediction) -> dict[str, Any]:
    return {
        "index": error.index,
        "truth": error.truth,
        "reading": error.prediction,
        "confidence": _finite(error.confidence),
        "loss": _finite(error.loss),
    }


def _confusion(evaluation: Evaluation) -> dict[str, Any]:
    """Truth by prediction; the last row counts inserted characters, the last column deleted ones."""
    names = [*evaluation.figures.confused, ""]
    return {"truth": names, "reading": names, "counts": evaluation.figures.confusion.tolist()}


def _calibration(evaluation: Evaluation) -> dict[str, Any]:
    figures = evaluation.figures
    return {
        "error": _finite(figures.calibration_error),
        "bins": [
            {"mean_confidence": _finite(each.mean_confidence), **_score(each.score)} for each in figures.calibration
        ],
    }


def _finite(value: float) -> float | None:
    """None for infinity and NaN, which JSON has no number for."""
    return value if math.isfinite(value) else None
