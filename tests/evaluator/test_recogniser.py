"""The compiled network, whatever the batch shape, against loops in NumPy."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp  # type: ignore[import-untyped]

from evaluator.recogniser import Recogniser
from shared.batch import Batch, label_of
from shared.decoding import greedy_decode
from shared.nn.checkpoint import read_info
from shared.spec import Dataset, DatasetSpec
from tests.evaluator.checkpoints import untrained_checkpoint

DATASET = Dataset(spec=DatasetSpec(width=32, height=16, alphabet="abc"), fingerprint="f" * 64)
TRUTHS = ["a", "cab", "bbbb", "abca", "cc", "b", "acac", "baa"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_checkpoint(tmp_path_factory.mktemp("run"), DATASET)


def recogniser(checkpoint: Path, batch_size: int) -> Recogniser:
    return Recogniser(checkpoint, read_info(checkpoint), batch_size, "cpu")


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


def test_losses_equal_the_forward_recursion(checkpoint: Path) -> None:
    batch = some_batch(len(TRUTHS))
    logits, losses = recogniser(checkpoint, len(TRUTHS)).run(batch.images, batch.labels)
    for sample, truth in enumerate(TRUTHS):
        classes = [DATASET.spec.alphabet.index(character) for character in truth]
        assert losses[sample] == pytest.approx(ctc_loss_by_definition(logits[:, sample], classes), rel=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 50])
def test_the_batch_shape_changes_nothing_but_float_noise(checkpoint: Path, batch_size: int) -> None:
    whole = some_batch(len(TRUTHS))
    expected_logits, expected_losses = recogniser(checkpoint, len(TRUTHS)).run(whole.images, whole.labels)
    reader = recogniser(checkpoint, batch_size)
    for first in range(0, len(TRUTHS), batch_size):
        part = slice(first, first + batch_size)
        logits, losses = reader.run(whole.images[part], whole.labels[part])
        np.testing.assert_allclose(logits, expected_logits[:, part], atol=1e-4)
        np.testing.assert_allclose(losses, expected_losses[part], rtol=1e-4)
        assert greedy_decode(logits, "abc") == greedy_decode(expected_logits[:, part], "abc")


def test_a_short_batch_is_read_without_its_padding(checkpoint: Path) -> None:
    read = recogniser(checkpoint, 64).read(some_batch(3))
    assert read.truths == TRUTHS[:3]
    assert len(read.readings) == len(read.losses) == len(read.confidences) == 3
    assert read.indices.tolist() == [0, 1, 2]


def test_different_images_read_differently(checkpoint: Path) -> None:
    """Else the tests above would hold for a network that reads nothing."""
    assert len(set(recogniser(checkpoint, 8).read(some_batch(8)).readings)) > 3
