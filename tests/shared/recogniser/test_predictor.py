"""The compiled network, whatever the batch shape, against loops in NumPy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp  # type: ignore[import-untyped]

from shared.dataset.spec import Dataset, DatasetSpec
from shared.protocol.batch import Batch, label_of
from shared.recogniser.checkpoint import read_info
from shared.recogniser.ctc_decoding import collapse
from shared.recogniser.predictor import Recogniser
from tests.evaluator.checkpoints import untrained_checkpoint

DATASET = Dataset(spec=DatasetSpec(width=32, height=16, alphabet="abc"), fingerprint="f" * 64)
TRUTHS = ["a", "cab", "bbbb", "abca", "cc", "b", "acac", "baa"]


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    checkpoint = untrained_checkpoint(tmp_path_factory.mktemp("run"), DATASET)
    return Recogniser(checkpoint, read_info(checkpoint), "cpu")


def some_batch(num: int) -> Batch:
    generator = np.random.default_rng(0)
    spec = DATASET.spec
    return Batch(
        epoch=0,
        step=0,
        images=generator.integers(0, 256, (len(TRUTHS), *spec.image_shape), dtype=np.uint8)[:num],
        labels=np.stack([label_of(truth, spec.alphabet, spec.max_length) for truth in TRUTHS])[:num],
        indices=np.arange(num, dtype=np.uint64),
    )


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


def test_losses_equal_the_forward_recursion(recogniser: Recogniser) -> None:
    batch = some_batch(len(TRUTHS))
    logits, losses = recogniser.run(batch.images, batch.labels)
    for sample, truth in enumerate(TRUTHS):
        classes = [DATASET.spec.alphabet.index(character) for character in truth]
        assert losses[sample] == pytest.approx(ctc_loss_by_definition(logits[:, sample], classes), rel=1e-4)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_what_stands_beside_a_sample_changes_not_a_bit_of_it(recogniser: Recogniser, size: int) -> None:
    whole = some_batch(len(TRUTHS))
    expected_logits, expected_losses = recogniser.run(whole.images, whole.labels)
    for first in range(0, len(TRUTHS), size):
        part = slice(first, first + size)
        logits, losses = recogniser.run(whole.images[part], whole.labels[part])
        np.testing.assert_array_equal(logits, expected_logits[:, part])
        np.testing.assert_array_equal(losses, expected_losses[part])


def test_a_short_batch_is_read_without_its_padding(recogniser: Recogniser) -> None:
    read = recogniser.read(some_batch(3))
    assert read.truths == TRUTHS[:3]
    assert len(read.readings) == len(read.losses) == len(read.confidences) == len(read.paths) == 3
    assert read.indices.tolist() == [0, 1, 2]


def test_a_reading_is_its_path_collapsed_and_pictures_without_truth_read_the_same(recogniser: Recogniser) -> None:
    batch = some_batch(8)
    read = recogniser.read(batch)
    assert read.readings == collapse(read.paths.T, "abc")
    assert recogniser.read_images(batch.images) == list(zip(read.readings, read.confidences.tolist(), strict=True))


def test_the_certainty_of_a_frame_is_the_largest_probability_in_it(recogniser: Recogniser) -> None:
    batch = some_batch(8)
    logits, _ = recogniser.run(batch.images, batch.labels)
    expected = np.exp(log_softmax(logits.astype(np.float64), axis=2)).max(axis=2).T
    np.testing.assert_allclose(recogniser.read(batch).certainties, expected, rtol=1e-6)


def test_different_images_read_differently(recogniser: Recogniser) -> None:
    """Else the tests above would hold for a network that reads nothing."""
    assert len(set(recogniser.read(some_batch(8)).readings)) > 3
