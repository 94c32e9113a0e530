"""The benchmark's peer takes the very steps that our trainer takes: the comparison is one of equals."""

import mindspore as ms
import numpy as np
import pytest

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from tests.benchmarks.training.zoo.plain_network import StackedLstm, plain_step, prepared, take
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.presets import PRESETS
from trainer.training.step import build_step

SPEC = DatasetSpec(width=24, height=16)
NAMES = {
    "lstm.weight_ih_l0": "first.weight_ih_l0",
    "lstm.weight_hh_l0": "first.weight_hh_l0",
    "lstm.bias_ih_l0": "first.bias_ih_l0",
    "lstm.bias_hh_l0": "first.bias_hh_l0",
    "lstm.weight_ih_l1": "second.weight_ih_l0",
    "lstm.weight_hh_l1": "second.weight_hh_l0",
    "lstm.bias_ih_l1": "second.bias_ih_l0",
    "lstm.bias_hh_l1": "second.bias_hh_l0",
    "classify.weight": "classify.weight",
    "classify.bias": "classify.bias",
}


def test_the_plain_script_and_our_step_leave_the_same_weights() -> None:
    config = load_config(PRESETS["zoo"], None, ["hidden_size=8", "batch_size=3"])
    ours = build_step(
        config, SPEC, RankSlice(count=9, global_batch_size=3), num_steps=9, device="cpu", world=SINGLE_RANK
    )
    weights = {weight.name: weight for weight in ours.weights}
    network = StackedLstm(SPEC.height, 8, SPEC.num_classes)
    plain_weights = {weight.name.removeprefix("_backbone."): weight for weight in network.trainable_params()}
    assert set(plain_weights) == set(NAMES)
    for name, weight in plain_weights.items():
        weight.set_data(weights[NAMES[name]].copy())
    plain = plain_step(network, SPEC.width, (3, SPEC.max_length))

    images = np.random.default_rng(0).integers(0, 256, (3, *SPEC.image_shape), np.uint8)
    labels = np.array([[1, 10, 10, 10], [2, 2, 10, 10], [3, 4, 5, 6]], np.int32)
    for number in range(3):
        loss = take(plain, [(prepared(images), labels)], number)
        result = ours.run(ms.Tensor(images), ms.Tensor(labels), stop=False, wait_s=0.0)
        assert loss == pytest.approx(result.loss, rel=1e-4)
    for name, weight in plain_weights.items():
        assert np.abs(weight.asnumpy() - weights[NAMES[name]].asnumpy()).max() < 1e-5, name
