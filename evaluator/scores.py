"""The figures of a pass over a split: exact match, character error rate, loss, confusion, calibration. NumPy only.

Memory: 14 bytes per sample of the split, and about a kilobyte per prediction error. Note: figures do not depend, to the
last bit, on how samples were batched or in which order they came: sums are exact (`math.fsum`) and divided at the end.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evaluator.alignment import align
from shared.errors import DataLoss
from shared.recogniser.ctc.ctc_decoding import PredictedBatch

NUM_BINS = 10
"Equal parts of 0..1 that confidences are sorted into."
NUM_RIGHT = 12
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"Indices times this, modulo 2^64, are spread evenly (Knuth, The Art of Computer Programming 3, 6.4)."
MAX_CONFUSED = 128
"The confusion matrix of a larger alphabet is of some of its characters."
NUM_CONFUSED = 40
"That many."
_Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, eq=False)
class EvaluatedBatch:
    """n samples, what the network predicts for them, and the loss of their truths."""

    indices: NDArray[np.uint64]
    "[n], each within its split."
    truths: Sequence[str]
    losses: NDArray[np.float32]
    "[n], CTC loss of each truth."
    predictions: PredictedBatch


@dataclass(frozen=True)
class Score:
    """Samples, and how many of them were predicted correctly."""

    samples: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Exact match: the share of samples whose prediction is their truth."""
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
class SamplePrediction:
    """One sample, and what the network predicts for it."""

    index: int
    truth: str
    prediction: str
    confidence: float
    loss: float
    path: tuple[int, ...]
    "The likeliest class of each frame."
    frame_confidences: tuple[float, ...]
    "The probability of that class, for each frame."


@dataclass(frozen=True)
class ConfidenceBin:
    """The samples predicted with about the same confidence."""

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
    confused: str
    "The characters of `confusion`: all of the alphabet, or of a large one those in most errors, in its order."
    confusion: NDArray[np.int64]
    """[n + 1, n + 1] for n characters: truth by prediction; the last row counts insertions, the last column deletions.
    What happened to other characters is not in it."""
    calibration: list[ConfidenceBin]
    "By ascending confidence; bins that hold samples."
    calibration_error: float
    "Mean distance of confidence and accuracy over the bins, by samples (expected calibration error)."
    errors: list[SamplePrediction]
    "Those whose prediction is not their truth, in the order of the split."
    right: list[SamplePrediction]
    "At most `NUM_RIGHT` of the others from all over the split, the same ones in whatever order samples came."


class Coverage:
    """Which samples of a split have come: each must, and none twice."""

    def __init__(self, split: str, count: int) -> None:
        self._split = split
        self._seen = np.zeros(count, bool)

    def add(self, indices: NDArray[np.uint64]) -> None:
        """Records the samples of a batch; raises `DataLoss` for one that came before or is none of the split's."""
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


class ScoreAccumulator:
    """Collects evaluated batches and computes the figures of all of them."""

    def __init__(self, alphabet: str, max_length: int) -> None:
        self._alphabet = alphabet
        self._samples = np.zeros(max_length + 1, np.int64)
        self._correct = np.zeros(max_length + 1, np.int64)
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._losses: list[NDArray[np.float32]] = []
        self._confidences: list[NDArray[np.float64]] = []
        self._is_correct: list[NDArray[np.bool_]] = []
        self._errors: list[SamplePrediction] = []
        self._right: list[tuple[int, SamplePrediction]] = []

    def add(self, batch: EvaluatedBatch) -> None:
        """Counts the samples of a batch."""
        pairs = list(zip(batch.truths, batch.predictions.texts, strict=True))
        correct = np.array([truth == prediction for truth, prediction in pairs], bool)
        lengths = np.array([len(truth) for truth in batch.truths], np.int64)
        np.add.at(self._samples, lengths, 1)
        np.add.at(self._correct, lengths, correct)
        self._losses.append(batch.losses)
        self._confidences.append(batch.predictions.confidences)
        self._is_correct.append(correct)
        for truth, prediction in pairs:
            self._add_alignment(truth, prediction)
        self._errors += [_prediction(batch, row) for row in np.flatnonzero(~correct)]
        self._keep_some(batch, np.flatnonzero(correct))

    def figures(self) -> Figures:
        """The figures of all samples added, at least one."""
        samples = int(self._samples.sum())
        bins = self._bins()
        gaps = [each.score.samples * abs(each.mean_confidence - each.score.accuracy) for each in bins]
        characters = sum(times for (truth, _), times in self._pairs.items() if truth)
        edits = sum(times for (truth, prediction), times in self._pairs.items() if truth != prediction)
        confused = self._confused()
        return Figures(
            total=Score(samples, int(self._correct.sum())),
            by_length=self._by_length(),
            character_error_rate=edits / characters,
            loss=math.fsum(np.concatenate(self._losses)) / samples,
            confused=confused,
            confusion=self._confusion(confused),
            calibration=bins,
            calibration_error=sum(gaps) / samples,
            errors=sorted(self._errors, key=lambda error: error.index),
            right=[prediction for _, prediction in self._right],
        )

    def _keep_some(self, batch: EvaluatedBatch, correct: NDArray[np.int64]) -> None:
        """Of the right predictions, those whose index is spread to the lowest places."""
        places = batch.indices[correct] * _SPREAD
        highest = self._right[-1][0] if len(self._right) == NUM_RIGHT else 2**64
        new = [(place, _prediction(batch, row)) for place, row in zip(places.tolist(), correct, strict=True)
               if place < highest]  # fmt: skip
        self._right = sorted(self._right + new, key=lambda pair: pair[0])[:NUM_RIGHT]

    def _add_alignment(self, truth: str, prediction: str) -> None:
        # Most predictions are right, and an alignment of equal texts needs no search.
        pairs = zip(truth, prediction, strict=True) if truth == prediction else align(truth, prediction)
        self._pairs.update(pairs)

    def _confused(self) -> str:
        if len(self._alphabet) <= MAX_CONFUSED:
            return self._alphabet
        errors: Counter[str] = Counter()
        for (truth, prediction), times in self._pairs.items():
            if truth != prediction:
                errors.update({truth: times, prediction: times})
        place = {character: number for number, character in enumerate(self._alphabet)}
        chosen = sorted((errors.keys() or place.keys()) - {""}, key=lambda one: (-errors[one], place[one]))
        return "".join(sorted(chosen[:NUM_CONFUSED], key=place.__getitem__))

    def _confusion(self, characters: str) -> NDArray[np.int64]:
        names = [*characters, ""]
        return np.array([[self._pairs[truth, prediction] for prediction in names] for truth in names], np.int64)

    def _by_length(self) -> dict[int, Score]:
        lengths = np.flatnonzero(self._samples)
        return {int(length): Score(int(self._samples[length]), int(self._correct[length])) for length in lengths}

    def _bins(self) -> list[ConfidenceBin]:
        confidences, is_correct = np.concatenate(self._confidences), np.concatenate(self._is_correct)
        number_of = np.minimum((confidences * NUM_BINS).astype(np.int64), NUM_BINS - 1)
        return [_confidence_bin(confidences[members], is_correct[members])
                for members in (number_of == number for number in np.unique(number_of))]  # fmt: skip


def _confidence_bin(confidences: NDArray[np.float64], is_correct: NDArray[np.bool_]) -> ConfidenceBin:
    samples = len(confidences)
    return ConfidenceBin(Score(samples, int(is_correct.sum())), math.fsum(confidences) / samples)


def _prediction(batch: EvaluatedBatch, row: int) -> SamplePrediction:
    predictions = batch.predictions
    return SamplePrediction(
        index=int(batch.indices[row]),
        truth=batch.truths[row],
        prediction=predictions.texts[row],
        confidence=float(predictions.confidences[row]),
        loss=float(batch.losses[row]),
        path=tuple(predictions.paths[row].tolist()),
        frame_confidences=tuple(predictions.frame_confidences[row].tolist()),
    )
