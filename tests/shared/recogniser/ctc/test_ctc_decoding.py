"""Greedy decoding and probabilities, against loops that follow the definitions word by word."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax  # type: ignore[import-untyped]

from shared.recogniser.ctc.ctc_decoding import collapse, decode, decode_and_score, greedy_decode, text_loss

ALPHABET = "abc"
BLANK = len(ALPHABET)
paths = st.lists(st.lists(st.integers(0, BLANK), min_size=5, max_size=5), min_size=1, max_size=6)


def collapsed_by_definition(path: list[int]) -> str:
    merged = [value for value, _ in itertools.groupby(path)]
    return "".join(ALPHABET[value] for value in merged if value != BLANK)


def logits_of(path: list[int]) -> NDArray[np.float32]:
    """[frames, 1, classes]: the path's class stands out in every frame."""
    return np.eye(BLANK + 1, dtype=np.float32)[path][:, np.newaxis]


def probability(logits: NDArray[np.float32], texts: Sequence[str]) -> NDArray[np.float64]:
    """[n] of each text, summed over all its paths."""
    return np.exp(-text_loss(logits, texts, ALPHABET))


@given(paths)
def test_runs_are_merged_before_blanks_are_dropped(rows: list[list[int]]) -> None:
    assert collapse(np.array(rows).T, ALPHABET) == [collapsed_by_definition(row) for row in rows]


@given(paths)
def test_greedy_decoding_follows_the_likeliest_class_of_each_frame(rows: list[list[int]]) -> None:
    logits = np.concatenate([logits_of(row) for row in rows], axis=1)
    assert greedy_decode(logits, ALPHABET) == [collapsed_by_definition(row) for row in rows]


@pytest.mark.parametrize(
    ("path", "text"),
    [([3, 3, 3], ""), ([0, 0, 1], "ab"), ([0, 3, 0], "aa"), ([0, 0, 0], "a"), ([3, 2, 3], "c"), ([2], "c")],
)
def test_known_paths_read_as_expected(path: list[int], text: str) -> None:
    assert greedy_decode(logits_of(path), ALPHABET) == [text]


def test_logits_of_another_alphabet_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \[frames, n, 4\], got \[5, 2, 11\]"):
        greedy_decode(np.zeros((5, 2, 11), np.float32), ALPHABET)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_probability_of_a_text_is_the_sum_over_all_its_paths(num_frames: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(scale=3, size=(num_frames, 1, BLANK + 1)).astype(np.float32)
    weights = np.exp(logits[:, 0].astype(np.float64))
    probs = weights / weights.sum(axis=1, keepdims=True)
    expected: dict[str, float] = {"abcabc": 0.0}
    for path in itertools.product(range(BLANK + 1), repeat=num_frames):
        text = collapsed_by_definition(list(path))
        expected[text] = expected.get(text, 0.0) + math.prod(probs[np.arange(num_frames), path])
    got = probability(np.repeat(logits, len(expected), axis=1), list(expected))
    assert got == pytest.approx(list(expected.values()), rel=1e-5, abs=1e-12)


def test_the_empty_text_has_one_path() -> None:
    logits = np.zeros((2, 3, BLANK + 1), np.float32)
    assert probability(logits, ["", "", ""]) == pytest.approx([1 / 16] * 3)


def test_large_logits_do_not_overflow_the_probability() -> None:
    assert probability(np.float32(1e4) * logits_of([0, 3, 1]), ["ab"]).tolist() == [1.0]


def test_predictions_are_collapsed_paths_with_the_probability_of_each_frame() -> None:
    logits = np.random.default_rng(0).normal(scale=3, size=(6, 9, BLANK + 1)).astype(np.float32)
    predicted = decode(logits, ALPHABET)
    assert predicted.texts == collapse(predicted.paths.T, ALPHABET)
    np.testing.assert_array_equal(predicted.confidences, probability(logits, predicted.texts))
    expected = np.exp(log_softmax(logits.astype(np.float64), axis=2)).max(axis=2).T
    np.testing.assert_allclose(predicted.frame_confidences, expected, rtol=1e-6)


@given(st.lists(st.text(ALPHABET, max_size=7), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_decoding_and_scoring_together_gives_the_same_bits_as_apart(truths: list[str], seed: int) -> None:
    shape = 6, len(truths), BLANK + 1
    logits = np.random.default_rng(seed).normal(scale=3, size=shape).astype(np.float32)
    (predicted, losses), alone = decode_and_score(logits, truths, ALPHABET), decode(logits, ALPHABET)
    np.testing.assert_array_equal(losses, text_loss(logits, truths, ALPHABET))
    np.testing.assert_array_equal(predicted.confidences, alone.confidences)
    assert predicted.texts == alone.texts
