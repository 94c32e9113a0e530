"""Every figure of an evaluation computed once more from logits and truths: plain Python, no code of ours."""

import math
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest  # type: ignore[import-untyped]


def figures_from(logits: NDArray[np.float32], truths: list[str], alphabet: str) -> dict[str, Any]:
    """What the JSON line and report.json say of these samples; logits [frames, n, classes]."""
    probabilities = np.exp(logits.astype(np.float64))
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    predictions = [_greedy(logits[:, row], alphabet) for row in range(len(truths))]
    of_truth = [_probability(probabilities[:, row], truth, alphabet) for row, truth in enumerate(truths)]
    of_prediction = [_probability(probabilities[:, row], text, alphabet) for row, text in enumerate(predictions)]
    confusion = Counter(
        pair for truth, prediction in zip(truths, predictions, strict=True) for pair in _pairs(truth, prediction)
    )
    names = [*alphabet, ""]
    lengths = sorted(set(map(len, truths)))
    both = list(zip(truths, predictions, strict=True))
    return {
        **_score(both),
        "by_length": {str(length): _score([pair for pair in both if len(pair[0]) == length]) for length in lengths},
        "character_error_rate": sum(n for (a, b), n in confusion.items() if a != b) / sum(map(len, truths)),
        "loss": -math.fsum(map(math.log, of_truth)) / len(truths),
        "confusion": [[confusion[truth, prediction] for prediction in names] for truth in names],
        "calibration": _calibration(both, of_prediction),
        "errors": [(index, truth, prediction) for index, (truth, prediction) in enumerate(both) if truth != prediction],
    }


def _score(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    correct = sum(truth == prediction for truth, prediction in pairs)
    interval = binomtest(correct, len(pairs)).proportion_ci(0.95, method="wilson")
    bounds = [interval.low, interval.high]
    return {"accuracy": correct / len(pairs), "correct": correct, "samples": len(pairs), "ci95": bounds}


def _greedy(logits: NDArray[np.float32], alphabet: str) -> str:
    text, last = "", len(alphabet)
    for value in logits.argmax(axis=1).tolist():
        text += alphabet[value] if value not in (last, len(alphabet)) else ""
        last = value
    return text


def _probability(probabilities: NDArray[np.float64], text: str, alphabet: str) -> float:
    """Of all paths that collapse to the text: (characters emitted, was the last frame a character) -> probability."""
    blank = len(alphabet)
    states: dict[tuple[int, bool], float] = {(0, False): 1.0}
    for frame in probabilities:
        following: dict[tuple[int, bool], float] = defaultdict(float)
        for (emitted, on_character), mass in states.items():
            following[emitted, False] += mass * frame[blank]
            if on_character:
                following[emitted, True] += mass * frame[alphabet.index(text[emitted - 1])]
            if emitted < len(text) and not (on_character and text[emitted] == text[emitted - 1]):
                following[emitted + 1, True] += mass * frame[alphabet.index(text[emitted])]
        states = following
    return states.get((len(text), False), 0.0) + states.get((len(text), True), 0.0)


@cache
def _pairs(truth: str, prediction: str) -> tuple[tuple[str, str], ...]:
    """A cheapest alignment; of equal ones, from the end: pair two characters, delete one, insert one."""
    if not truth and not prediction:
        return ()
    ways = []
    if truth and prediction:
        ways.append((*_pairs(truth[:-1], prediction[:-1]), (truth[-1], prediction[-1])))
    if truth:
        ways.append((*_pairs(truth[:-1], prediction), (truth[-1], "")))
    if prediction:
        ways.append((*_pairs(truth, prediction[:-1]), ("", prediction[-1])))
    return min(ways, key=lambda way: sum(left != right for left, right in way))


def _calibration(pairs: list[tuple[str, str]], confidences: list[float]) -> dict[str, Any]:
    bins: dict[int, list[int]] = defaultdict(list)
    for row, confidence in enumerate(confidences):
        bins[min(int(confidence * 10), 9)].append(row)
    shown, error = [], 0.0
    for _, rows in sorted(bins.items()):
        score = _score([pairs[row] for row in rows])
        mean = math.fsum(confidences[row] for row in rows) / len(rows)
        shown.append({"mean_confidence": mean, **score})
        error += abs(mean - score["accuracy"]) * len(rows) / len(pairs)
    return {"error": error, "bins": shown}
