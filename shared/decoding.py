"""From logits to text, and how far a text is from the truth: greedy CTC decoding and edit distance, NumPy only.

Greedy (best path) decoding after Graves et al., "Connectionist temporal classification" (ICML 2006): the likeliest
class of each frame, runs of a class merged, blanks dropped. What surprises: merging comes before dropping, so a doubled
character is read only where a blank stands between its two runs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]
"(character of the truth, character read); an empty string where the other one stands alone."


def greedy_decode(logits: NDArray[np.floating[Any]], alphabet: str) -> list[str]:
    """n texts from logits [frames, n, classes]; class i is the i-th character, the last class the blank."""
    if logits.ndim != 3 or logits.shape[2] != len(alphabet) + 1:
        raise ValueError(f"logits must be [frames, n, {len(alphabet) + 1}], got {list(logits.shape)}")
    return collapse(logits.argmax(axis=2), alphabet)


def collapse(path: NDArray[np.integer[Any]], alphabet: str) -> list[str]:
    """n texts from a path of classes, [frames, n]: runs merged, then blanks (classes past the alphabet) dropped."""
    starts = np.ones(path.shape, bool)
    starts[1:] = path[1:] != path[:-1]
    kept = starts & (path < len(alphabet))
    return ["".join(alphabet[value] for value in column[keep]) for column, keep in zip(path.T, kept.T, strict=True)]


def path_confidence(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 [n] in 0..1: the softmax probability of each sample's best path, given logits [frames, n, classes]."""
    rest = np.exp(logits - logits.max(axis=2, keepdims=True), dtype=np.float64).sum(axis=2)
    confidence: NDArray[np.float64] = np.exp(-np.log(rest).sum(axis=0))
    return confidence


def edit_distance(truth: str, reading: str) -> int:
    """Fewest insertions, deletions and substitutions that turn `truth` into `reading` (Levenshtein, 1966)."""
    return int(_distances(truth, reading)[-1, -1])


def align(truth: str, reading: str) -> list[Pair]:
    """One cheapest alignment, in reading order; the pairs that differ number `edit_distance(truth, reading)`.

    Of equally cheap ones it prefers, from the end, to pair two characters, then to leave one out, then to add one.
    """
    costs = _distances(truth, reading)
    row, column = len(truth), len(reading)
    pairs: list[Pair] = []
    while row or column:
        paired = bool(row and column)
        if paired and costs[row, column] == costs[row - 1, column - 1] + (truth[row - 1] != reading[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((truth[row], reading[column]))
        elif row and costs[row, column] == costs[row - 1, column] + 1:
            row -= 1
            pairs.append((truth[row], ""))
        else:
            column -= 1
            pairs.append(("", reading[column]))
    return pairs[::-1]


def _distances(truth: Sequence[str], reading: Sequence[str]) -> NDArray[np.int64]:
    """[len(truth) + 1, len(reading) + 1]: the distance between every pair of prefixes.

    A row at a time: insertions along a row are a running minimum of cost minus column.
    """
    columns = np.arange(len(reading) + 1)
    read = np.array([*reading], dtype="U1")
    costs = np.empty((len(truth) + 1, len(reading) + 1), np.int64)
    costs[0] = columns
    for row, character in enumerate(truth, start=1):
        best = costs[row - 1] + 1
        best[1:] = np.minimum(best[1:], costs[row - 1, :-1] + (read != character))
        costs[row] = np.minimum.accumulate(best - columns) + columns
    return costs
