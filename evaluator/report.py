"""How an evaluation is told: the JSON line, report.json, and what stands on the terminal."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from evaluator.evaluate import Evaluation
from evaluator.metrics import Score
from shared.errors import UsageError


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """The keys that `--json` promises; report.json begins with them."""
    figures = evaluation.figures
    return {
        **_score(figures.total),
        "by_length": {str(length): _score(score) for length, score in figures.by_length.items()},
        "character_error_rate": figures.character_error_rate,
        "loss": _steady(figures.loss),
        "fingerprint": evaluation.dataset.fingerprint,
        "checkpoint": str(evaluation.checkpoint),
    }


def full_report(evaluation: Evaluation) -> dict[str, Any]:
    """Everything there is to tell, as report.json holds it."""
    return {
        **summary(evaluation),
        "configuration": _configuration(evaluation),
        "time_s": round(evaluation.time_s, 3),
        "images_per_s": round(evaluation.images_per_s, 1),
        "confusion": _confusion(evaluation),
        "calibration": _calibration(evaluation),
        "errors": [
            asdict(misread) | {"confidence": _steady(misread.confidence), "loss": _steady(misread.loss)}
            for misread in evaluation.figures.misread
        ],
    }


def prepare_folder(folder: Path) -> None:
    """Makes the folder of a report, before the work rather than after; raises `UsageError` when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the report folder {folder}: {error.strerror}") from error


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Writes report.json and returns where it is; raises `UsageError` when it cannot be written."""
    path = folder / "report.json"
    try:
        path.write_text(json.dumps(full_report(evaluation), indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return path


def show(evaluation: Evaluation, report: Path | None) -> None:
    """Prints figures for a person: exact match, a table by length, then a line for each of the others."""
    figures = evaluation.figures
    low, high = figures.total.ci95
    headline = f"exact match {figures.total.accuracy:.2%} of {figures.total.samples:,} {evaluation.split} samples"
    console = Console(highlight=False)
    console.print(f"[bold]{headline}[/bold], 95% interval {low:.2%} to {high:.2%}\n")
    console.print(_table(evaluation, box.SIMPLE_HEAD if console.is_terminal else None))
    facts = {
        "coverage": f"{figures.total.samples:,}/{evaluation.dataset.counts[evaluation.split]:,} samples, each once",
        "character errors": f"{figures.character_error_rate:.3%} of characters",
        "CTC loss": f"{figures.loss:.4f} a sample",
        "calibration": f"confidence is off by {figures.calibration_error:.2%} on average",
        "throughput": f"{evaluation.images_per_s:,.0f} images/s, {evaluation.time_s:,.1f} s",
        "data set": f"{evaluation.split}, fingerprint {evaluation.dataset.fingerprint[:12]}",
        "checkpoint": str(evaluation.checkpoint),
    }
    if report is not None:
        facts["report"] = f"{report}, with the {len(figures.misread):,} misread samples"
    print("\n" + "\n".join(f"{name:17} {value}" for name, value in facts.items()))


def _table(evaluation: Evaluation, lines: box.Box | None) -> Table:
    table = Table(box=lines, show_edge=False, pad_edge=False, header_style="bold")
    for heading in ("characters", "samples", "correct", "exact match", "95% interval"):
        table.add_column(heading, justify="left" if heading == "characters" else "right", no_wrap=True)
    for length, score in evaluation.figures.by_length.items():
        table.add_row(str(length), *_cells(score))
    table.add_section()
    table.add_row("all", *_cells(evaluation.figures.total), style="bold")
    return table


def _cells(score: Score) -> tuple[str, ...]:
    low, high = score.ci95
    return f"{score.samples:,}", f"{score.correct:,}", f"{score.accuracy:.2%}", f"{low:.2%} - {high:.2%}"


def _score(score: Score) -> dict[str, Any]:
    return {
        "accuracy": score.accuracy,
        "correct": score.correct,
        "samples": score.samples,
        "ci95": list(score.ci95),
    }


def _configuration(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "split": evaluation.split,
        "batch_size": evaluation.batch_size,
        "device": evaluation.device,
        "dataset": asdict(evaluation.dataset.spec),
        "counts": dict(evaluation.dataset.counts),
        "checkpoint": asdict(evaluation.info),
    }


def _confusion(evaluation: Evaluation) -> dict[str, Any]:
    """Truth by reading; the last row counts characters read that are not there, the last column those left out."""
    alphabet = evaluation.dataset.spec.alphabet
    return {"truth": [*alphabet, ""], "reading": [*alphabet, ""], "counts": evaluation.figures.confusion.tolist()}


def _calibration(evaluation: Evaluation) -> dict[str, Any]:
    figures = evaluation.figures
    return {
        "error": _steady(figures.calibration_error),
        "bins": [
            {"mean_confidence": _steady(each.mean_confidence), **_score(each.score)} for each in figures.calibration
        ],
    }


def _steady(value: float) -> float | None:
    """Five digits: those that float noise between batch sizes does not reach. None for what JSON cannot hold."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
