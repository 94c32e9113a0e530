"""Augmentation is a pure function of (order seed, epoch, index): nothing else decides what is seen."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.dataset.seeding import augmentation_key
from shared.protocol.batch import Batch
from tests.support.toys import TOY_SPEC, toy_samples
from trainer.training.augmentation import RANGES, Augmentation, Strength, augment

_STRENGTHS: tuple[Strength, ...] = ("light", "strong")


def _batch(indices: list[int], epoch: int = 0) -> Batch:
    numbers = np.array(indices, np.uint64)
    images, labels = toy_samples(TOY_SPEC, "train", numbers)
    return Batch(epoch=epoch, step=0, images=images, labels=labels, indices=numbers)


def _altered(indices: list[int], strength: Strength, seed: int = 0, epoch: int = 0) -> NDArray[np.uint8]:
    return Augmentation(strength, seed).images(_batch(indices, epoch))


@pytest.mark.parametrize("strength", _STRENGTHS)
@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 999), min_size=1, max_size=8, unique=True), st.integers(0, 2**63), st.integers(0, 10**6))
def test_a_sample_is_altered_alike_in_whatever_company_it_travels(
    strength: Strength, indices: list[int], seed: int, epoch: int
) -> None:
    together = _altered(indices, strength, seed, epoch)
    alone = np.concatenate([_altered([index], strength, seed, epoch) for index in indices])
    reversed_order = _altered(indices[::-1], strength, seed, epoch)[::-1]
    assert together.dtype == np.uint8
    assert np.array_equal(together, alone)
    assert np.array_equal(together, reversed_order)


@pytest.mark.parametrize("strength", _STRENGTHS)
def test_epochs_seeds_and_samples_are_altered_each_in_a_way_of_their_own(strength: Strength) -> None:
    image = _batch([3]).images[0]
    keys = [augmentation_key(seed, epoch, index) for seed in range(3) for epoch in range(3) for index in range(3)]
    results = {augment(image, RANGES[strength], key).tobytes() for key in keys}
    assert len(results) == len(keys) == len(set(keys))


def test_no_augmentation_passes_the_very_images_through() -> None:
    batch = _batch([1, 2])
    assert Augmentation("none", 0).images(batch) is batch.images


@pytest.mark.parametrize("strength", _STRENGTHS)
def test_the_images_given_are_never_written_to(strength: Strength) -> None:
    batch = _batch([1, 2, 3])
    batch.images.setflags(write=False)
    before = batch.images.copy()
    Augmentation(strength, 5).images(batch)
    assert np.array_equal(batch.images, before)


@pytest.mark.parametrize("strength", _STRENGTHS)
def test_one_colour_stays_one_picture_of_about_that_colour(strength: Strength) -> None:
    image = np.full((64, 160, 3), 200, np.uint8)
    for key in range(40):
        altered = augment(image, RANGES[strength], augmentation_key(0, 0, key))
        assert altered.shape == image.shape
        assert abs(float(np.median(altered)) - 200) < 70


@pytest.mark.parametrize("shape", [(16, 16, 3), (17, 1024, 3), (1024, 16, 3)])
def test_every_size_of_image_that_a_data_set_may_have_is_altered(shape: tuple[int, int, int]) -> None:
    image = np.zeros(shape, np.uint8)
    for strength in _STRENGTHS:
        for key in range(30):
            assert augment(image, RANGES[strength], augmentation_key(1, 0, key)).shape == shape


def test_how_a_sample_is_altered_is_the_same_from_release_to_release() -> None:
    digests = {
        strength: hashlib.sha256(_altered([0, 1, 2, 3], strength, 7, 2).tobytes()).hexdigest()[:16]
        for strength in _STRENGTHS
    }
    assert digests == {"light": "8bb261322911a616", "strong": "512570f681686aec"}
