"""The network agrees with an independent NumPy computation and starts from the seed alone."""

import mindspore as ms
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.recogniser.checkpoint import weights_digest
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.network.preprocessing import Colour, Ink
from tests.shared.recogniser import oracle

SPEC = NetworkSpec(height=16, width=24, num_classes=5, hidden_size=8, columns_per_frame=3)


def _network(**changes: object) -> CaptchaNetwork:
    ms.set_seed(3)
    return CaptchaNetwork(NetworkSpec(**{**vars(SPEC), **changes}))


def _images(num: int = 2) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num, SPEC.height, SPEC.width, 3), np.uint8)


@pytest.mark.parametrize("second_layer", ["forward", "backward", "parallel"])
@pytest.mark.parametrize("pixels", ["ink", "colour"])
@pytest.mark.parametrize("columns", [1, 3])
def test_the_logits_agree_with_the_equations(second_layer: str, pixels: str, columns: int) -> None:
    network = _network(second_layer=second_layer, pixels=pixels, columns_per_frame=columns)
    weights = {p.name: p.asnumpy().astype(np.float64) for p in network.get_parameters()}
    logits = network(ms.Tensor(_images())).asnumpy()
    assert logits.shape == (SPEC.width // columns, 2, SPEC.num_classes)
    assert np.allclose(logits, oracle.logits_of(weights, _images(), network.spec), atol=1e-4)


def test_pale_and_strong_pictures_of_the_same_captcha_look_alike() -> None:
    pattern = np.random.default_rng(1).integers(0, 2, (1, SPEC.height, SPEC.width, 1))
    strong, pale = (250 - pattern * depth for depth in (100, 60))
    ink = Ink(SPEC.width)
    one, other = (ink(ms.Tensor(np.repeat(p, 3, 3).astype(np.uint8))).asnumpy() for p in (strong, pale))
    assert np.abs(one - other).max() < 0.1


def test_colours_come_in_the_published_order_and_scale() -> None:
    image = np.zeros((1, 1, 2, 3), np.uint8)
    image[0, 0, 1] = 10, 20, 30  # red, green, blue
    blue, green, red = Colour(2)(ms.Tensor(image)).asnumpy()[0, 0, 3:]
    assert blue == pytest.approx((30 / 255 - 0.9010) / 0.1521, rel=1e-5)
    assert green == pytest.approx((20 / 255 - 0.9049) / 0.1347, rel=1e-5)
    assert red == pytest.approx((10 / 255 - 0.9025) / 0.1458, rel=1e-5)


@pytest.mark.parametrize("initial_weights", ["orthogonal", "uniform"])
def test_the_seed_alone_decides_the_initial_weights(initial_weights: str) -> None:
    digests = {weights_digest(_network(initial_weights=initial_weights).trainable_params()) for _ in range(2)}
    ms.set_seed(4)
    spec = NetworkSpec(**{**vars(SPEC), "initial_weights": initial_weights})
    other = weights_digest(CaptchaNetwork(spec).trainable_params())
    assert len(digests) == 1
    assert other not in digests


def test_published_weights_start_uniform_and_the_classifier_positive() -> None:
    network = _network(initial_weights="uniform", hidden_size=64)
    for parameter in network.trainable_params():
        low, high = (0.0, 1.0) if parameter.name.startswith("classify") else (-1 / 8, 1 / 8)
        values = parameter.asnumpy()
        assert values.min() >= low
        assert values.max() <= high
        if values.size > 100:
            assert values.mean() == pytest.approx((low + high) / 2, abs=0.05)
            assert values.std() == pytest.approx((high - low) / 12**0.5, rel=0.1)


def test_a_width_that_frames_do_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match=r"columns_per_frame must divide the image width \(24\), got 5"):
        NetworkSpec(height=16, width=24, num_classes=5, columns_per_frame=5)
