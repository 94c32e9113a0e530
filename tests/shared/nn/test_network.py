"""The network agrees with an independent NumPy computation and starts from the seed alone."""

import mindspore as ms
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.nn.checkpoint import weights_digest
from shared.nn.network import CaptchaNetwork, NetworkSpec

SPEC = NetworkSpec(height=16, width=24, num_classes=5, hidden_size=8, columns_per_frame=3)


def _network(second_layer: str = "backward") -> CaptchaNetwork:
    ms.set_seed(3)
    return CaptchaNetwork(NetworkSpec(**{**vars(SPEC), "second_layer": second_layer}))


def _images(num: int = 2) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num, SPEC.height, SPEC.width, 3), np.uint8)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))


def _lstm(frames: NDArray[np.float64], weights: dict[str, NDArray[np.float64]], name: str) -> NDArray[np.float64]:
    """The equations of Hochreiter and Schmidhuber with a forget gate, one step at a time."""
    w_in, w_rec = weights[f"{name}.weight_ih_l0"], weights[f"{name}.weight_hh_l0"]
    bias = weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]
    hidden = cell = np.zeros((frames.shape[1], w_rec.shape[1]))
    out = []
    for frame in frames:
        gate_in, forget, candidate, gate_out = np.split(frame @ w_in.T + hidden @ w_rec.T + bias, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(gate_in) * np.tanh(candidate)
        hidden = _sigmoid(gate_out) * np.tanh(cell)
        out.append(hidden)
    return np.stack(out)


def _oracle(network: CaptchaNetwork, images: NDArray[np.uint8], backward: bool) -> NDArray[np.float64]:
    weights = {p.name: p.asnumpy().astype(np.float64) for p in network.get_parameters()}
    frames = []
    for image in images.astype(np.float64):
        luma = image @ [0.299, 0.587, 0.114]
        strength = min(max(luma.min() * 1.97 / 255, 0.04), 1.0)
        ink = (luma.max() - luma) / (luma.max() - luma.min() + 1) / strength
        ink = (np.clip(ink, 0, 1) - 0.15) * 4
        frames.append([ink[:, 3 * t : 3 * t + 3].reshape(-1) for t in range(SPEC.num_frames)])
    hidden = _lstm(np.array(frames).transpose(1, 0, 2), weights, "first")
    hidden = _lstm(hidden[::-1], weights, "second")[::-1] if backward else _lstm(hidden, weights, "second")
    logits: NDArray[np.float64] = hidden @ weights["classify.weight"].T + weights["classify.bias"]
    return logits


@pytest.mark.parametrize("second_layer", ["forward", "backward"])
def test_the_logits_agree_with_the_equations(second_layer: str) -> None:
    network, images = _network(second_layer), _images()
    logits = network(ms.Tensor(images)).asnumpy()
    assert logits.shape == (SPEC.num_frames, 2, SPEC.num_classes)
    assert np.allclose(logits, _oracle(network, images, second_layer == "backward"), atol=1e-4)


def test_pale_and_strong_pictures_of_the_same_captcha_look_alike() -> None:
    pattern = np.random.default_rng(1).integers(0, 2, (1, SPEC.height, SPEC.width, 1))
    strong, pale = (250 - pattern * depth for depth in (100, 60))
    ink = _network().ink
    one, other = (ink(ms.Tensor(np.repeat(p, 3, 3).astype(np.uint8))).asnumpy() for p in (strong, pale))
    assert np.abs(one - other).max() < 0.1


def test_the_seed_alone_decides_the_initial_weights() -> None:
    digests = {weights_digest(_network().trainable_params()) for _ in range(2)}
    ms.set_seed(4)
    other = weights_digest(CaptchaNetwork(SPEC).trainable_params())
    assert len(digests) == 1
    assert other not in digests


def test_a_width_that_frames_do_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match=r"columns_per_frame must divide the image width \(24\), got 5"):
        NetworkSpec(height=16, width=24, num_classes=5, columns_per_frame=5)
