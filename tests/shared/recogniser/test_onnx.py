"""An exported network gives the numbers of the network it was made from, in any number of images at once."""

from pathlib import Path

import mindspore as ms
import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import DataLoss, UsageError
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec
from shared.recogniser.onnx.graph import build_onnx
from shared.recogniser.onnx.metadata import OnnxMetadata
from shared.recogniser.onnx.predictor import OnnxPredictor, load_onnx
from tests.shared.recogniser.oracle import logits_of

_METADATA = OnnxMetadata(alphabet='0"ä中', width=24, height=16, max_length=4, fit={"mode": "pad"}, fingerprint="ab")
_SPECS = [
    NetworkSpec(height=16, width=24, num_classes=5, hidden_size=12),
    NetworkSpec(height=16, width=24, num_classes=5, hidden_size=12, columns_per_frame=3, pixels="colour"),
    NetworkSpec(height=17, width=24, num_classes=7, hidden_size=8, columns_per_frame=1, second_layer="forward"),
]
_CONVOLUTIONAL = NetworkSpec(
    height=50,
    width=150,
    num_classes=37,
    hidden_size=16,
    second_layer="parallel",
    initial_weights="small",
    resized_width=96,
)


def _weights(network: CaptchaNetwork) -> dict[str, NDArray[np.float32]]:
    return {weight.name: weight.asnumpy() for weight in network.trainable_params()}


def _images(spec: NetworkSpec, num: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (num, spec.height, spec.width, 3), dtype=np.uint8)


def _exported(spec: NetworkSpec, folder: Path) -> tuple[CaptchaNetwork, OnnxPredictor]:
    ms.set_seed(3)
    network = CaptchaNetwork(spec)
    if (
        spec.resized_width is None
    ):  # Larger weights predict more than blanks; convolutions would make more of roundings.
        for weight in network.trainable_params():
            weight.set_data(weight * 3)
    file = folder / "ein Netz für zwei.onnx"
    file.write_bytes(build_onnx(spec, _weights(network), _METADATA).SerializeToString())
    return network, load_onnx(file)


@pytest.mark.parametrize("spec", [*_SPECS, _CONVOLUTIONAL])
def test_logits_equal_those_of_the_network_whatever_the_batch_size(spec: NetworkSpec, tmp_path: Path) -> None:
    network, predictor = _exported(spec, tmp_path)
    images = _images(spec, 70)
    expected = network(ms.Tensor(images)).asnumpy()
    for num in (1, 2, 64, 70):
        assert np.allclose(predictor.logits(images[:num]), expected[:, :num], rtol=0, atol=1e-4)
    assert np.array_equal(predictor.logits(images).argmax(2), expected.argmax(2))


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(_SPECS), st.integers(0, 2**31))
def test_logits_equal_those_of_the_equations(spec: NetworkSpec, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = {
        weight.name: rng.normal(size=weight.shape).astype(np.float32) * 0.5
        for weight in CaptchaNetwork(spec).trainable_params()
    }
    session = ort.InferenceSession(build_onnx(spec, weights, _METADATA).SerializeToString())
    images = _images(spec, 3, seed)
    (logits,) = session.run(None, {"images": images})
    as_float64 = {name: value.astype(np.float64) for name, value in weights.items()}
    assert np.allclose(logits, logits_of(as_float64, images, spec), rtol=0, atol=1e-4)


def test_metadata_comes_back_as_it_was_written(tmp_path: Path) -> None:
    _, predictor = _exported(_SPECS[0], tmp_path)
    assert predictor.metadata == _METADATA


def test_the_same_network_is_the_same_file(tmp_path: Path) -> None:
    network = CaptchaNetwork(_SPECS[0])
    first, second = (build_onnx(_SPECS[0], _weights(network), _METADATA).SerializeToString() for _ in range(2))
    assert first == second


def test_a_file_that_cannot_be_read_with_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no exported network at .*none.onnx; write one"):
        load_onnx(tmp_path / "none.onnx")
    bad = tmp_path / "bad.onnx"
    for content in (b"", b"not an ONNX file", b"\x00" * 1000):
        bad.write_bytes(content)
        with pytest.raises(DataLoss, match=r"bad.onnx is not an ONNX file, or a damaged one; export it again"):
            load_onnx(bad)


def test_a_foreign_file_without_our_metadata_is_named(tmp_path: Path) -> None:
    model = build_onnx(_SPECS[0], _weights(CaptchaNetwork(_SPECS[0])), _METADATA)
    del model.metadata_props[:]
    file = tmp_path / "foreign.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(DataLoss, match=r"foreign.onnx has no alphabet in its metadata"):
        load_onnx(file)
