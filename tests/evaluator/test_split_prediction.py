"""Predictions and losses of a split, whatever the batch shape, against loops in NumPy."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp  # type: ignore[import-untyped]

from evaluator.split_prediction import SplitPredictor, in_threads, regrouped
from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.batch import Batch, label_of
from shared.recogniser.checkpoint_info import CheckpointInfo, find_checkpoint, read_info
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from tests.evaluator.checkpoints import untrained_checkpoint

DATASET = Dataset(spec=DatasetSpec(width=32, height=16, alphabet="abc"), fingerprint="f" * 64)
TRUTHS = ["a", "cab", "bbbb", "abca", "cc", "b", "acac", "baa"]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> SplitPredictor:
    checkpoint = untrained_checkpoint(tmp_path_factory.mktemp("run"), DATASET)
    return SplitPredictor(checkpoint, read_info(checkpoint), DATASET.spec, "cpu")


def some_batch(part: slice = slice(None)) -> Batch:
    generator = np.random.default_rng(0)
    spec = DATASET.spec
    return Batch(
        epoch=0,
        step=0,
        images=generator.integers(0, 256, (len(TRUTHS), *spec.image_shape), dtype=np.uint8)[part],
        labels=np.stack([label_of(truth, spec.alphabet, spec.max_length) for truth in TRUTHS])[part],
        indices=np.arange(len(TRUTHS), dtype=np.uint64)[part],
    )


def test_another_data_set_is_counted_by_character_and_fitted_to_the_size_of_the_network(
    predictor: SplitPredictor, tmp_path: Path
) -> None:
    """The same pictures and truths, smaller, in an alphabet of another order: the same predictions and losses."""
    served = DatasetSpec(width=24, height=16, alphabet="cb", max_length=9)
    foreign = SplitPredictor(untrained_checkpoint(tmp_path, DATASET), predictor_info(tmp_path), served, "cpu")
    truths = ["c", "cbcb", "bb", "ccccc"]
    small = np.random.default_rng(1).integers(0, 256, (4, *served.image_shape), dtype=np.uint8)
    labels = np.stack([label_of(truth, served.alphabet, served.max_length) for truth in truths])
    found = foreign.predict(Batch(epoch=0, step=0, images=small, labels=labels, indices=np.arange(4, dtype=np.uint64)))
    padded = np.full((4, *DATASET.spec.image_shape), 255, np.uint8)
    padded[:, :, 4:28] = small
    logits = predictor.network.logits(padded)
    assert found.predictions.texts == greedy_decode(logits, predictor.network.alphabet)
    assert found.truths == truths
    for sample, truth in enumerate(truths[:3]):
        exact = ctc_loss_by_definition(logits[:, sample], [DATASET.spec.alphabet.index(each) for each in truth])
        assert found.losses[sample] == pytest.approx(exact, rel=1e-4)
    # Five equal characters need nine frames, and the network has eight.
    assert found.losses[3] == np.inf


def predictor_info(run_dir: Path) -> CheckpointInfo:
    return read_info(find_checkpoint(run_dir))


def ctc_loss_by_definition(logits: NDArray[np.float32], classes: list[int]) -> float:
    """The forward recursion of Graves et al. (2006), section 4.1, in log space; logits [frames, classes]."""
    blank = logits.shape[1] - 1
    log_probs = log_softmax(logits.astype(np.float64), axis=1)
    spelled = [blank]
    for value in classes:
        spelled += [value, blank]
    alpha = np.full(len(spelled), -np.inf)
    alpha[:2] = log_probs[0, spelled[:2]]
    for frame in log_probs[1:]:
        before = alpha.copy()
        for place, value in enumerate(spelled):
            ways = before[max(0, place - 1) : place + 1].tolist()
            if place > 1 and value not in (blank, spelled[place - 2]):
                ways.append(before[place - 2])
            alpha[place] = logsumexp(ways) + frame[value]
    return -float(logsumexp(alpha[-2:]))


def test_losses_equal_the_forward_recursion(predictor: SplitPredictor) -> None:
    batch = some_batch()
    logits, losses = predictor.network.logits(batch.images), predictor.predict(batch).losses
    for sample, truth in enumerate(TRUTHS):
        classes = [DATASET.spec.alphabet.index(character) for character in truth]
        assert losses[sample] == pytest.approx(ctc_loss_by_definition(logits[:, sample], classes), rel=1e-4)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_the_samples_beside_it_change_not_a_bit_of_a_loss(predictor: SplitPredictor, size: int) -> None:
    expected = predictor.predict(some_batch())
    for first in range(0, len(TRUTHS), size):
        part = slice(first, first + size)
        np.testing.assert_array_equal(predictor.predict(some_batch(part)).losses, expected.losses[part])


def test_a_short_batch_is_returned_without_its_padding(predictor: SplitPredictor) -> None:
    batch = predictor.predict(some_batch(slice(3)))
    assert batch.truths == TRUTHS[:3]
    assert len(batch.losses) == len(batch.predictions.texts) == len(batch.predictions.paths) == 3
    assert batch.indices.tolist() == [0, 1, 2]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 12))
def test_regrouping_keeps_every_sample_in_order_and_fills_every_group_but_the_last(sizes: list[int], size: int) -> None:
    ends = np.cumsum(sizes).tolist()
    parts = [np.arange(end - num, end, dtype=np.uint64) for num, end in zip(sizes, ends, strict=True)]
    images, labels = np.zeros((9, 1, 1, 3), np.uint8), np.zeros((9, 4), np.uint16)
    batches = [
        Batch(epoch=0, step=0, images=images[: len(part)], labels=labels[: len(part)], indices=part) for part in parts
    ]
    groups = list(regrouped(batches, size))
    assert np.concatenate([group.indices for group in groups]).tolist() == list(range(ends[-1]))
    assert all(len(group) == size for group in groups[:-1])
    assert 1 <= len(groups[-1]) <= size


@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_results_come_in_order_and_few_are_computed_before_they_are_taken(num_threads: int) -> None:
    started: list[int] = []

    def square(number: int) -> int:
        started.append(number)
        time.sleep(0.002 * (number % 3))
        return number * number

    results = in_threads(square, iter(range(40)), num_threads)
    assert next(results) == 0
    assert len(started) <= 2 * num_threads
    assert [*results] == [number * number for number in range(1, 40)]


def test_threads_compute_at_the_same_time_and_their_errors_are_raised_in_their_place() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(number: int) -> int:
        both.wait()
        if number == 3:
            raise ValueError(number)
        return number

    results = in_threads(meet, range(4), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)


def test_threads_change_no_bit_of_the_predictions_of_a_split(predictor: SplitPredictor) -> None:
    batches = [some_batch(slice(first, first + 2)) for first in (0, 2, 4, 6)] * 8
    for alone, beside in zip(map(predictor.predict, batches), in_threads(predictor.predict, batches, 4), strict=True):
        assert beside.losses.tobytes() == alone.losses.tobytes()
        assert beside.predictions.confidences.tobytes() == alone.predictions.confidences.tobytes()
        assert (beside.predictions.texts, beside.truths) == (alone.predictions.texts, alone.truths)
