"""The figures, against plain loops and SciPy over the same samples."""

import functools
import math
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]

from evaluator.scores import NUM_BINS, NUM_RIGHT, Coverage, EvaluatedBatch, Figures, Score, ScoreAccumulator
from shared.errors import DataLoss
from shared.recogniser.ctc.ctc_decoding import PredictedBatch

ALPHABET = "0123"
MAX_LENGTH = 3
Row = tuple[str, str, float, float]
truths = st.text(ALPHABET, min_size=1, max_size=MAX_LENGTH)
near = st.floats(0, 1, width=32)
rows = st.lists(st.tuples(truths, truths | st.text(ALPHABET, max_size=6), near, st.floats(0, 50, width=32)), min_size=1)


def batch_of(first_index: int, samples: Sequence[Row]) -> EvaluatedBatch:
    return EvaluatedBatch(
        indices=np.arange(first_index, first_index + len(samples), dtype=np.uint64),
        truths=[row[0] for row in samples],
        losses=np.array([row[3] for row in samples], np.float32),
        predictions=PredictedBatch(
            texts=[row[1] for row in samples],
            confidences=np.array([row[2] for row in samples], np.float64),
            paths=np.zeros((len(samples), 2), np.int64),
            frame_confidences=np.ones((len(samples), 2)),
        ),
    )


def figures_of(samples: Sequence[Row], batch_size: int) -> Figures:
    accumulator = ScoreAccumulator(ALPHABET, MAX_LENGTH)
    for first in range(0, len(samples), batch_size):
        accumulator.add(batch_of(first, samples[first : first + batch_size]))
    return accumulator.figures()


@functools.cache
def distance_by_definition(truth: str, prediction: str) -> int:
    if not truth or not prediction:
        return len(truth) + len(prediction)
    return min(
        distance_by_definition(truth[1:], prediction) + 1,
        distance_by_definition(truth, prediction[1:]) + 1,
        distance_by_definition(truth[1:], prediction[1:]) + (truth[0] != prediction[0]),
    )


@given(rows, st.integers(1, 7))
def test_some_right_predictions_are_kept_whatever_the_batches(samples: list[Row], batch_size: int) -> None:
    right = [index for index, (truth, prediction, *_) in enumerate(samples) if truth == prediction]
    kept = figures_of(samples, batch_size).right
    assert kept == figures_of(samples, len(samples)).right
    assert len(kept) == min(NUM_RIGHT, len(right))
    assert {each.index for each in kept} <= set(right)
    assert all(each.truth == each.prediction for each in kept)


def test_the_right_predictions_kept_come_from_all_over_the_split() -> None:
    kept = figures_of([("0", "0", 0.9, 0.1)] * 10_000, batch_size=64).right
    assert {each.index // 2_500 for each in kept} == {0, 1, 2, 3}


@given(rows, st.integers(1, 7))
def test_scores_and_error_rate_equal_plain_loops(samples: list[Row], batch_size: int) -> None:
    figures = figures_of(samples, batch_size)
    right = [row for row in samples if row[0] == row[1]]
    assert figures.total == Score(len(samples), len(right))
    for length in range(1, MAX_LENGTH + 1):
        of_length = [row for row in samples if len(row[0]) == length]
        expected = Score(len(of_length), sum(row[0] == row[1] for row in of_length)) if of_length else None
        assert figures.by_length.get(length) == expected
    edits = sum(distance_by_definition(row[0], row[1]) for row in samples)
    assert figures.character_error_rate == pytest.approx(edits / sum(len(row[0]) for row in samples))
    assert figures.loss == pytest.approx(math.fsum(row[3] for row in samples) / len(samples))


@given(rows)
def test_the_confusion_accounts_for_every_character_of_truths_and_predictions(samples: list[Row]) -> None:
    confusion = figures_of(samples, 3).confusion
    for number, character in enumerate(ALPHABET):
        assert confusion[number].sum() == sum(row[0].count(character) for row in samples)
        assert confusion[:, number].sum() == sum(row[1].count(character) for row in samples)
    assert confusion[-1, -1] == 0


@given(rows)
def test_the_calibration_equals_plain_loops(samples: list[Row]) -> None:
    figures = figures_of(samples, 2)
    bins: dict[int, list[Row]] = {}
    for row in samples:
        bins.setdefault(min(int(row[2] * NUM_BINS), NUM_BINS - 1), []).append(row)
    error = 0.0
    for (_, members), got in zip(sorted(bins.items()), figures.calibration, strict=True):
        mean = math.fsum(row[2] for row in members) / len(members)
        score = Score(len(members), sum(row[0] == row[1] for row in members))
        assert got.score == score
        assert got.mean_confidence == pytest.approx(mean)
        error += len(members) / len(samples) * abs(mean - score.correct / score.samples)
    assert figures.calibration_error == pytest.approx(error)


@given(rows)
def test_errors_are_listed_in_the_order_of_the_split(samples: list[Row]) -> None:
    expected = [(index, *row[:2]) for index, row in enumerate(samples) if row[0] != row[1]]
    assert [(each.index, each.truth, each.prediction) for each in figures_of(samples, 3).errors] == expected


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_figures_do_not_depend_on_the_order_of_the_batches(hits: list[bool], data: st.DataObject) -> None:
    batches = [batch_of(index, [("12", "12" if hit else "21", 0.5, 1.0)]) for index, hit in enumerate(hits)]
    one, other = ScoreAccumulator(ALPHABET, MAX_LENGTH), ScoreAccumulator(ALPHABET, MAX_LENGTH)
    for batch in batches:
        one.add(batch)
    for batch in data.draw(st.permutations(batches)):
        other.add(batch)
    assert one.figures().errors == other.figures().errors
    assert one.figures().total == other.figures().total


@given(rows, st.integers(1, 7), st.randoms())
def test_sums_are_the_same_to_the_last_bit_in_any_order_and_any_batches(
    samples: list[Row], batch_size: int, random: Random
) -> None:
    shuffled = random.sample(samples, len(samples))
    one, other = figures_of(samples, 1), figures_of(shuffled, batch_size)
    assert (one.loss, one.calibration_error, one.calibration) == (
        other.loss,
        other.calibration_error,
        other.calibration,
    )


def test_an_infinite_loss_makes_the_mean_infinite() -> None:
    assert figures_of([("1", "1", 0.5, 1.0), ("2", "", 0.5, math.inf)], 1).loss == math.inf


@given(st.integers(1, 20_000).flatmap(lambda samples: st.tuples(st.just(samples), st.integers(0, samples))))
def test_the_interval_is_wilsons(score: tuple[int, int]) -> None:
    samples, correct = score
    expected = binomtest(correct, samples).proportion_ci(0.95, method="wilson")
    assert Score(samples, correct).ci95 == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_known_interval() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I: 81 of 263.
    assert Score(263, 81).ci95 == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(st.integers(1, 50), st.data())
def test_coverage_is_complete_when_each_index_came_once_in_any_order(count: int, data: st.DataObject) -> None:
    coverage = Coverage("test", count)
    indices = np.array(data.draw(st.permutations(range(count))), np.uint64)
    for part in np.array_split(indices, 3):
        coverage.add(part)
    coverage.check_complete()


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([[0, 1], [3, 4]], "1 of 5 samples of split test did not come, the first of them index 2"),
        ([[0, 1], [1, 2]], "index 1 of split test came twice"),
        ([[0, 3, 3]], "index 3 of split test came twice"),
        ([[0, 5]], r"has samples 0\.\.4, but index 5 came"),
        ([[2**64 - 1]], r"has samples 0\.\.4, but index 18446744073709551615 came"),
    ],
)
def test_a_sample_missing_doubled_or_foreign_is_named(parts: list[list[int]], problem: str) -> None:
    with pytest.raises(DataLoss, match=problem):
        cover(parts, count=5)


def cover(parts: list[list[int]], count: int) -> None:
    coverage = Coverage("test", count)
    for part in parts:
        coverage.add(np.array(part, np.uint64))
    coverage.check_complete()


def test_of_a_large_alphabet_the_confusion_holds_the_characters_in_most_errors() -> None:
    alphabet = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    accumulator = ScoreAccumulator(alphabet, 2)
    pairs = [(alphabet[number], alphabet[-1 - number]) for number in range(50) for _ in range(1 + number)]
    accumulator.add(batch_of(0, [(truth, prediction, 0.5, 1.0) for truth, prediction in pairs]))
    figures = accumulator.figures()
    assert figures.confused == alphabet[30:50] + alphabet[450:470]
    assert figures.confusion.shape == (41, 41)
    assert figures.confusion.sum() == sum(1 + number for number in range(30, 50))
    assert figures.character_error_rate == 1.0
