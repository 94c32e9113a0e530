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


def text_probability(logits: NDArray[np.floating[Any]], texts: Sequence[str], alphabet: str) -> NDArray[np.float64]:
    """float64 [n] in 0..1: how likely each text is under logits [frames, n, classes], summed over all its paths.

    The forward recursion of the paper's section 4.1, in log space and for all samples at once.
    """
    spelled = _with_blanks(texts, alphabet)
    emitted = np.take_along_axis(_log_softmax(logits), spelled[np.newaxis], axis=2)
    # A path may leave out a blank, except between two equal characters.
    leap = np.where((spelled[:, 2:] != len(alphabet)) & (spelled[:, 2:] != spelled[:, :-2]), 0.0, -np.inf)
    alpha = np.full(spelled.shape, -np.inf)
    alpha[:, :2] = emitted[0, :, :2]
    for frame in emitted[1:]:
        ways = alpha.copy()
        ways[:, 1:] = np.logaddexp(ways[:, 1:], alpha[:, :-1])
        ways[:, 2:] = np.logaddexp(ways[:, 2:], alpha[:, :-2] + leap)
        alpha = ways + frame
    rows, ends = np.arange(len(texts)), np.array([2 * len(text) for text in texts])
    before_end = np.where(ends > 0, alpha[rows, np.maximum(ends - 1, 0)], -np.inf)
    probability: NDArray[np.float64] = np.exp(np.logaddexp(alpha[rows, ends], before_end))
    return probability


def certainties(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 [frames, n] in 0..1: how likely each frame's likeliest class is; logits [frames, n, classes]."""
    best: NDArray[np.float64] = np.exp(_log_softmax(logits).max(axis=2))
    return best


def _log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=2, keepdims=True)
    log_probs: NDArray[np.float64] = shifted - np.log(np.exp(shifted, dtype=np.float64).sum(axis=2, keepdims=True))
    return log_probs


def _with_blanks(texts: Sequence[str], alphabet: str) -> NDArray[np.int64]:
    """[n, 2 * longest + 1]: the classes of each text with blanks around every one, and after the end."""
    spelled = np.full((len(texts), 2 * max(map(len, texts), default=0) + 1), len(alphabet), np.int64)
    for row, text in zip(spelled, texts, strict=True):
        row[1 : 2 * len(text) : 2] = [alphabet.index(character) for character in text]
    return spelled


def align(truth: str, reading: str) -> list[Pair]:
    """One cheapest alignment, in reading order; as many pairs differ as the edit distance is (Levenshtein, 1966).

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
