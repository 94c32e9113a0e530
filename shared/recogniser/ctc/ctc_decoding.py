"""From logits to predictions: greedy CTC decoding, and how confident the network is. NumPy only.

Greedy (best path) decoding after Graves et al., "Connectionist temporal classification" (ICML 2006): the likeliest
class of each frame, runs of a class merged, blanks dropped. Note: merging comes before dropping, so a doubled character
is predicted only where a blank stands between its two runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PredictedBatch:
    """What the network predicts for n images."""

    texts: Sequence[str]
    confidences: NDArray[np.float64]
    "[n] in 0..1: the probability of each text, summed over all CTC paths that give it."
    paths: NDArray[np.int64]
    "[n, frames]: the likeliest class of each frame, from which the text was collapsed."
    frame_confidences: NDArray[np.float64]
    "[n, frames] in 0..1: the probability of that class."


def decode(logits: NDArray[np.floating[Any]], alphabet: str) -> PredictedBatch:
    """Texts and confidences from logits [frames, n, classes]; see `greedy_decode`."""
    return decode_and_score(logits, (), alphabet)[0]


def decode_and_score(
    logits: NDArray[np.floating[Any]], truths: Sequence[str], alphabet: str
) -> tuple[PredictedBatch, NDArray[np.float64]]:
    """What `decode` gives, and the `text_loss` of n truths, or of none: the same bits as apart, in half the calls."""
    texts, log_probs = greedy_decode(logits, alphabet), _log_softmax(logits)
    both = np.concatenate([log_probs, log_probs[:, : len(truths)]], axis=1)
    losses = _text_loss(both, [*texts, *truths], alphabet)
    predicted = PredictedBatch(
        texts=texts,
        confidences=np.exp(-losses[: len(texts)]),
        paths=logits.argmax(axis=2).T,
        frame_confidences=np.exp(log_probs.max(axis=2)).T,
    )
    return predicted, losses[len(texts) :]


def character_confidences(batch: PredictedBatch, blank: int) -> list[tuple[float, ...]]:
    """For each text of a batch the confidence of each character: the highest among the frames that CTC merges to it."""
    return [_of_characters(*row, blank) for row in zip(batch.paths, batch.frame_confidences, strict=True)]


def _of_characters(path: NDArray[np.int64], confidences: NDArray[np.float64], blank: int) -> tuple[float, ...]:
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    highest = np.maximum.reduceat(confidences, starts)
    return tuple(highest[path[starts] < blank].tolist())


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


def text_loss(logits: NDArray[np.floating[Any]], texts: Sequence[str], alphabet: str) -> NDArray[np.float64]:
    """float64 [n]: the CTC loss of each text under logits [frames, n, classes], the negative log of its probability.

    The forward recursion of the paper's section 4.1, in log space and for all samples at once. Infinite for a text that
    is too long for the frames.
    """
    return _text_loss(_log_softmax(logits), texts, alphabet)


def _text_loss(log_probs: NDArray[np.float64], texts: Sequence[str], alphabet: str) -> NDArray[np.float64]:
    spelled = _with_blanks(texts, alphabet)
    emitted = np.take_along_axis(log_probs, spelled[np.newaxis], axis=2)
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
    loss: NDArray[np.float64] = -np.logaddexp(alpha[rows, ends], before_end)
    return loss


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
