"""What a pass over a split amounts to: exact match, character error rate, loss, confusion, calibration. NumPy only.

Memory grows with the number of misread samples and by one byte per sample of the split (the coverage), no more. What
surprises: figures do not depend, to the last bit, on how samples were batched or in which order they came, so `Tally`
adds exactly and never divides before the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataLoss
from shared.recogniser.ctc_decoding import align

NUM_BINS = 10
"Equal parts of 0..1 that confidences are sorted into."
_Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, eq=False)
class ReadBatch:
    """n samples as the network read them."""

    indices: NDArray[np.uint64]
    "[n], each within its split."
    truths: Sequence[str]
    readings: Sequence[str]
    losses: NDArray[np.float32]
    "[n], CTC loss of each truth."
    confidences: NDArray[np.float64]
    "[n] in 0..1: how likely the network holds what it read."
    paths: NDArray[np.int64]
    "[n, frames]: the likeliest class of each frame, from which the reading was collapsed."
    certainties: NDArray[np.float64]
    "[n, frames] in 0..1: how likely that class is."


@dataclass(frozen=True)
class Score:
    """Samples, and how many of them were read without a fault."""

    samples: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Exact match: the share of samples read without a fault."""
        return self.correct / self.samples

    @property
    def ci95(self) -> tuple[float, float]:
        """The 95% interval of the accuracy (Wilson, "Probable inference", 1927), without continuity correction."""
        z2 = _Z95**2
        centre = self.correct + z2 / 2
        spread = _Z95 * (self.correct * (self.samples - self.correct) / self.samples + z2 / 4) ** 0.5
        total = self.samples + z2
        return max(0.0, (centre - spread) / total), min(1.0, (centre + spread) / total)


@dataclass(frozen=True)
class Misreading:
    """A sample that was not read as it is."""

    index: int
    truth: str
    reading: str
    confidence: float
    loss: float
    path: tuple[int, ...]
    "The likeliest class of each frame."
    certainties: tuple[float, ...]
    "How likely that class is, for each frame."


@dataclass(frozen=True)
class ConfidenceBin:
    """The samples read with about the same confidence."""

    score: Score
    mean_confidence: float


@dataclass(frozen=True, eq=False)
class Figures:
    """All that is reported of one split."""

    total: Score
    by_length: dict[int, Score]
    "By the number of characters in the truth, ascending; lengths that occur."
    character_error_rate: float
    "Insertions, deletions and substitutions per character of the truths."
    loss: float
    "Mean CTC loss per sample."
    confusion: NDArray[np.int64]
    "[classes, classes]: truth by reading; the last row counts insertions, the last column deletions."
    calibration: list[ConfidenceBin]
    "By ascending confidence; bins that hold samples."
    calibration_error: float
    "Mean distance of confidence and accuracy over the bins, by samples (expected calibration error)."
    misread: list[Misreading]
    "In the order of the split."


class Coverage:
    """Which samples of a split have come: each must, and none twice."""

    def __init__(self, split: str, count: int) -> None:
        self._split = split
        self._seen = np.zeros(count, bool)

    def add(self, indices: NDArray[np.uint64]) -> None:
        """Notes the samples of a batch; raises `DataLoss` for one that came before or is none of the split's."""
        unique, times = np.unique(indices, return_counts=True)
        count = len(self._seen)
        if (outside := unique[unique >= np.uint64(count)]).size:
            raise DataLoss(f"split {self._split} has samples 0..{count - 1}, but index {outside[0]} came")
        if (again := unique[self._seen[unique] | (times > 1)]).size:
            raise DataLoss(f"index {again[0]} of split {self._split} came twice; no figure is given")
        self._seen[unique] = True

    def check_complete(self) -> None:
        """Raises `DataLoss` when a sample has not come."""
        missing = np.flatnonzero(~self._seen)
        if missing.size:
            problem = f"{missing.size} of {len(self._seen)} samples of split {self._split} did not come"
            raise DataLoss(f"{problem}, the first of them index {missing[0]}; no figure is given")


class Tally:
    """Adds up what was read."""

    def __init__(self, alphabet: str, max_length: int) -> None:
        self._class_of = {character: number for number, character in enumerate(alphabet)} | {"": len(alphabet)}
        self._samples = np.zeros(max_length + 1, np.int64)
        self._correct = np.zeros(max_length + 1, np.int64)
        self._confusion = np.zeros((len(alphabet) + 1, len(alphabet) + 1), np.int64)
        self._loss = _ExactSum()
        self._bin_samples = np.zeros(NUM_BINS, np.int64)
        self._bin_correct = np.zeros(NUM_BINS, np.int64)
        self._bin_confidence = [_ExactSum() for _ in range(NUM_BINS)]
        self._misread: list[Misreading] = []

    def add(self, batch: ReadBatch) -> None:
        """Counts the samples of a batch."""
        pairs = list(zip(batch.truths, batch.readings, strict=True))
        correct = np.array([truth == reading for truth, reading in pairs], bool)
        lengths = np.array([len(truth) for truth in batch.truths], np.int64)
        np.add.at(self._samples, lengths, 1)
        np.add.at(self._correct, lengths, correct)
        self._loss.add(batch.losses)
        self._add_confidences(batch.confidences, correct)
        for truth, reading in pairs:
            self._add_alignment(truth, reading)
        self._misread += [_misreading(batch, row) for row in np.flatnonzero(~correct)]

    def figures(self) -> Figures:
        """The figures of all samples added, at least one."""
        samples = int(self._samples.sum())
        bins = self._bins()
        gaps = [each.score.samples * abs(each.mean_confidence - each.score.accuracy) for each in bins]
        characters = int(self._confusion[:-1].sum())
        edits = int(self._confusion.sum() - np.trace(self._confusion))
        return Figures(
            total=Score(samples, int(self._correct.sum())),
            by_length=self._by_length(),
            character_error_rate=edits / characters,
            loss=self._loss.value / samples,
            confusion=self._confusion.copy(),
            calibration=bins,
            calibration_error=sum(gaps) / samples,
            misread=sorted(self._misread, key=lambda misreading: misreading.index),
        )

    def _add_confidences(self, confidences: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
        bins = np.minimum((confidences * NUM_BINS).astype(np.int64), NUM_BINS - 1)
        np.add.at(self._bin_samples, bins, 1)
        np.add.at(self._bin_correct, bins, correct)
        for number in np.unique(bins):
            self._bin_confidence[number].add(confidences[bins == number])

    def _add_alignment(self, truth: str, reading: str) -> None:
        # Most readings are right, and an alignment of equal texts needs no search.
        pairs = zip(truth, reading, strict=True) if truth == reading else align(truth, reading)
        for left, right in pairs:
            self._confusion[self._class_of[left], self._class_of[right]] += 1

    def _by_length(self) -> dict[int, Score]:
        lengths = np.flatnonzero(self._samples)
        return {int(length): Score(int(self._samples[length]), int(self._correct[length])) for length in lengths}

    def _bins(self) -> list[ConfidenceBin]:
        return [
            ConfidenceBin(
                Score(int(self._bin_samples[number]), int(self._bin_correct[number])),
                self._bin_confidence[number].value / int(self._bin_samples[number]),
            )
            for number in np.flatnonzero(self._bin_samples)
        ]


class _ExactSum:
    """A sum that does not depend on the order of what was added, rounded once; infinite when one of them was."""

    def __init__(self) -> None:
        self._exact, self._infinite = Fraction(), 0.0

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        finite = np.isfinite(values)
        self._exact += sum(map(Fraction, values[finite].tolist()))
        self._infinite += float(values[~finite].sum())

    @property
    def value(self) -> float:
        return float(self._exact) + self._infinite


def _misreading(batch: ReadBatch, row: int) -> Misreading:
    return Misreading(
        index=int(batch.indices[row]),
        truth=batch.truths[row],
        reading=batch.readings[row],
        confidence=float(batch.confidences[row]),
        loss=float(batch.losses[row]),
        path=tuple(batch.paths[row].tolist()),
        certainties=tuple(batch.certainties[row].tolist()),
    )
