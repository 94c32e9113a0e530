"""Frames from convolutions: any image size, the same for a sample whatever else is in the batch."""

import mindspore as ms
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.features import ConvolutionFrames, Resize
from shared.recogniser.network.network_spec import RESIZED_HEIGHT as HEIGHT
from shared.recogniser.network.network_spec import NetworkSpec, resized_width


def _images(num: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (num, height, width, 3), np.uint8)


@given(st.integers(16, 1024), st.integers(16, 1024), st.integers(1, 16))
def test_every_image_size_gets_whole_frames_and_enough_of_them(width: int, height: int, max_length: int) -> None:
    resized = resized_width(width, height, max_length)
    spec = NetworkSpec(height=height, width=width, num_classes=11, resized_width=resized)
    assert spec.num_frames >= 2 * max_length
    assert resized == 4 * spec.num_frames


@pytest.mark.parametrize(("width", "height"), [(16, 16), (16, 1024), (1024, 16), (100, 36), (80, 25), (192, 64)])
def test_any_size_of_image_and_any_number_of_classes_is_read(width: int, height: int) -> None:
    resized = resized_width(width, height, 4)
    spec = NetworkSpec(height=height, width=width, num_classes=8_193, hidden_size=8, resized_width=resized)
    logits = CaptchaNetwork(spec)(ms.Tensor(_images(2, height, width))).asnumpy()
    assert logits.shape == (resized // 4, 2, 8_193)
    assert np.isfinite(logits).all()


def test_a_sample_is_seen_alike_to_the_bit_whatever_else_is_in_the_batch() -> None:
    frames = ConvolutionFrames(40, 20, 96, "CPU")
    one, other = _images(64, 20, 40), _images(64, 20, 40, seed=1)
    other[5] = one[5]
    seen = [frames(ms.Tensor(images)).asnumpy()[:, 5] for images in (one, other)]
    assert seen[0].tobytes() == seen[1].tobytes()


@pytest.mark.parametrize(("width", "height", "resized"), [(192, 64, 96), (100, 64, 60), (150, 50, 96)])
def test_images_are_resized_by_area_and_standardised(width: int, height: int, resized: int) -> None:
    images = _images(2, height, width)
    found = Resize(width, height, resized)(ms.Tensor(images)).asnumpy().reshape(2, resized, HEIGHT, 3)
    for image, values in zip(images.astype(np.float64), found, strict=True):
        expected = _by_area(_by_area(image, HEIGHT).transpose(1, 0, 2), resized)
        expected = (expected - expected.mean()) / np.sqrt(expected.var() + 1)
        assert np.abs(values - expected).max() < 1e-4


def test_a_pale_image_is_standardised_without_a_drift_of_the_mean() -> None:
    ink = np.random.default_rng(0).random((4, HEIGHT, 96, 1)) < 0.05
    images = np.where(ink, 235, 245).astype(np.uint8).repeat(3, axis=3)
    found = Resize(96, HEIGHT, 96)(ms.Tensor(images)).asnumpy().reshape(4, 96, HEIGHT, 3).transpose(0, 2, 1, 3)
    exact = images.astype(np.float64)
    exact = (exact - exact.mean((1, 2, 3), keepdims=True)) / np.sqrt(exact.var((1, 2, 3), keepdims=True) + 1)
    assert np.abs(found - exact).max() < 5e-5


def _by_area(image: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """With `size` rows: every row repeated so often that whole numbers of them make a new one."""
    means: NDArray[np.float64] = image.repeat(size, axis=0).reshape(size, len(image), *image.shape[1:]).mean(axis=1)
    return means


def test_a_blank_image_is_all_zeros() -> None:
    blank = np.full((1, 40, 60, 3), 255, np.uint8)
    assert np.abs(Resize(60, 40, 96)(ms.Tensor(blank)).asnumpy()).max() < 1e-2


@pytest.mark.parametrize("resized", [0, 2, 30, 8196, 1_000_000_000])
def test_a_resized_width_of_no_whole_frames_or_too_many_is_refused(resized: int) -> None:
    with pytest.raises(UsageError, match=f"resized_width must be a multiple of 4 up to 8192, got {resized}"):
        NetworkSpec(height=16, width=24, num_classes=5, resized_width=resized)
