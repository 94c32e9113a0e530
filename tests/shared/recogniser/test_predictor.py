"""The compiled network, whatever the number of images."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.dataset.spec import Dataset, DatasetSpec
from shared.recogniser.checkpoint_info import read_info
from shared.recogniser.ctc.ctc_decoding import collapse
from shared.recogniser.predictor import Predictor
from tests.evaluator.checkpoints import untrained_checkpoint

DATASET = Dataset(spec=DatasetSpec(width=32, height=16, alphabet="abc"), fingerprint="f" * 64)
NUM = 8


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    checkpoint = untrained_checkpoint(tmp_path_factory.mktemp("run"), DATASET)
    return Predictor(checkpoint, read_info(checkpoint), "cpu")


def some_images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (NUM, *DATASET.spec.image_shape), dtype=np.uint8)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_the_images_beside_it_change_not_a_bit_of_a_prediction(predictor: Predictor, size: int) -> None:
    images = some_images()
    expected, expected_logits = predictor.predict(images), predictor.logits(images)
    for first in range(0, NUM, size):
        part = slice(first, first + size)
        np.testing.assert_array_equal(predictor.logits(images[part]), expected_logits[:, part])
        predicted = predictor.predict(images[part])
        assert predicted.texts == expected.texts[part]
        np.testing.assert_array_equal(predicted.confidences, expected.confidences[part])


def test_a_prediction_is_its_path_collapsed(predictor: Predictor) -> None:
    predicted = predictor.predict(some_images())
    assert predicted.texts == collapse(predicted.paths.T, "abc")
    assert predicted.paths.shape == predicted.frame_confidences.shape == (NUM, predictor.network_spec.num_frames)


def test_different_images_get_different_predictions(predictor: Predictor) -> None:
    """Else the tests above would hold for a network that looks at nothing."""
    assert len(set(predictor.predict(some_images()).texts)) > 3
