"""The network of a checkpoint, on MindSpore and on onnxruntime, whatever the number of images."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import DataLoss
from shared.recogniser.checkpoint_info import CheckpointInfo, read_info
from shared.recogniser.checkpoint_network import open_network
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from shared.recogniser.device_name import Device
from shared.recogniser.image_reader import ImageNetwork
from shared.recogniser.onnx.predictor import OnnxPredictor, load_checkpoint_network
from shared.recogniser.predictor import Predictor
from tests.evaluator.checkpoints import untrained_checkpoint

DATASET = Dataset(spec=DatasetSpec(width=32, height=16, alphabet="abc"), fingerprint="f" * 64)
NUM = 8
Open = Callable[[Path, CheckpointInfo], ImageNetwork]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_checkpoint(tmp_path_factory.mktemp("run"), DATASET)


def on_mindspore(checkpoint: Path, info: CheckpointInfo, device: Device = "cpu") -> Predictor:
    return Predictor(checkpoint, info, device)


def some_images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (NUM, *DATASET.spec.image_shape), dtype=np.uint8)


@pytest.mark.parametrize("opened", [on_mindspore, load_checkpoint_network])
def test_the_images_beside_it_change_not_a_bit_of_an_image(checkpoint: Path, opened: Open) -> None:
    network, images = opened(checkpoint, read_info(checkpoint)), some_images()
    expected = network.logits(images)
    for size in (1, 3, 5):
        for first in range(0, NUM, size):
            part = slice(first, first + size)
            np.testing.assert_array_equal(network.logits(images[part]), expected[:, part])
    # Else it would hold for a network that looks at nothing.
    assert len(set(greedy_decode(expected, network.alphabet))) > 3


def test_both_give_the_same_logits_but_for_roundings(checkpoint: Path) -> None:
    info = read_info(checkpoint)
    ours, mindspore = open_network(checkpoint, info, "cpu"), on_mindspore(checkpoint, info)
    assert isinstance(ours, OnnxPredictor)
    # Weights eight times as large as usual make eight times as much of a rounding.
    np.testing.assert_allclose(ours.logits(some_images()), mindspore.logits(some_images()), rtol=0, atol=1e-3)
    assert (ours.alphabet, ours.image_size, ours.fit) == (mindspore.alphabet, mindspore.image_size, mindspore.fit)


@pytest.mark.parametrize("change", [{"hidden_size": 15}, {"num_classes": 5}, {"second_layer": "parallel"}])
def test_a_file_without_the_network_of_its_json_is_named(checkpoint: Path, change: dict[str, object]) -> None:
    info = read_info(checkpoint)
    other = replace(info, network={**info.network, **change})
    for opened in (on_mindspore, load_checkpoint_network):
        with pytest.raises(DataLoss, match=r"warpctc-1-1\.ckpt does not hold"):
            opened(checkpoint, other)


def test_a_checkpoint_is_read_without_mindspore(checkpoint: Path) -> None:
    code = (
        "import json, sys; import numpy as np; from shared.recogniser import load; "
        "text = load(sys.argv[1]).read(np.zeros((16, 32, 3), np.uint8)); "
        "print(json.dumps([text, 'mindspore' in sys.modules]))"
    )
    command = [sys.executable, "-c", code, str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    text, has_mindspore = json.loads(done.stdout)
    assert isinstance(text, str)
    assert not has_mindspore
