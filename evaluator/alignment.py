"""How a prediction differs from the truth, character by character: one cheapest alignment of the two texts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]
"(character of the truth, character predicted); an empty string where the other one has no partner."


def align(truth: str, prediction: str) -> list[Pair]:
    """One cheapest alignment, first character first; as many pairs differ as the edit distance is (Levenshtein, 1966).

    Of equally cheap ones it prefers, from the end, to pair two characters, then to delete one, then to insert one.
    Confusion counts depend on this choice, so it is part of the definition.
    """
    costs = _distances(truth, prediction)
    row, column = len(truth), len(prediction)
    pairs: list[Pair] = []
    while row or column:
        paired = bool(row and column)
        if paired and costs[row, column] == costs[row - 1, column - 1] + (truth[row - 1] != prediction[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((truth[row], prediction[column]))
        elif row and costs[row, column] == costs[row - 1, column] + 1:
            row -= 1
            pairs.append((truth[row], ""))
        else:
            column -= 1
            pairs.append(("", prediction[column]))
    return pairs[::-1]


def _distances(truth: Sequence[str], prediction: Sequence[str]) -> NDArray[np.int64]:
    """[len(truth) + 1, len(prediction) + 1]: the distance between every pair of prefixes.

    A row at a time: insertions along a row are a running minimum of cost minus column.
    """
    columns = np.arange(len(prediction) + 1)
    predicted = np.array([*prediction], dtype="U1")
    costs = np.empty((len(truth) + 1, len(prediction) + 1), np.int64)
    costs[0] = columns
    for row, character in enumerate(truth, start=1):
        best = costs[row - 1] + 1
        best[1:] = np.minimum(best[1:], costs[row - 1, :-1] + (predicted != character))
        costs[row] = np.minimum.accumulate(best - columns) + columns
    return costs
