"""The figures on the terminal: exact match, a table by length, then a line for each of the others."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from evaluator.evaluate import Evaluation
from evaluator.scores import Score


def show(evaluation: Evaluation, report: Path | None) -> None:
    """Prints the figures for a person; report: the page that was written."""
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
        "calibration": f"confidence differs from accuracy by {figures.calibration_error:.2%} on average",
        "throughput": f"{evaluation.images_per_s:,.0f} images/s, {evaluation.time_s:,.1f} s",
        "data set": f"{evaluation.split}, fingerprint {evaluation.dataset.fingerprint[:12]}",
        **({"trained on": f"fingerprint {evaluation.info.fingerprint[:12]}"} if evaluation.is_foreign else {}),
        "checkpoint": str(evaluation.checkpoint),
    }
    if report is not None:
        facts["report"] = str(report)
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
