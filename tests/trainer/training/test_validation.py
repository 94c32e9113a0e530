"""Validation counts what the network reads of the first samples of the split, and leaves the weights alone."""

import mindspore as ms
import numpy as np
import pytest

from shared.client import connect
from shared.dataset.rank_slice import RankSlice
from shared.protocol.batch import text_of
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec
from tests.services import served
from tests.toys import TOY_SPEC, ToySource, toy_samples
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.training.step import build_step
from trainer.training.validation import BestPath, Validator

_COUNT = 150


def _network() -> CaptchaNetwork:
    """One that reads "4" in every image, which is true of some."""
    ms.set_seed(1)
    network = CaptchaNetwork(NetworkSpec(height=16, width=24, num_classes=11, hidden_size=16))
    _always_read(network, 4)
    return network


def _always_read(network: CaptchaNetwork, class_number: int) -> None:
    network.classify.bias.set_data(ms.Tensor(np.where(np.arange(11) == class_number, 1e6, 0).astype(np.float32)))


@pytest.mark.parametrize("max_samples", [1, 64, 100, 10_000])
def test_it_counts_exactly_what_is_read_of_the_first_samples(max_samples: int) -> None:
    network, num = _network(), min(max_samples, _COUNT)
    images, labels = toy_samples(TOY_SPEC, "valid", np.arange(num, dtype=np.uint64))
    texts = greedy_decode(network(ms.Tensor(images)).asnumpy(), TOY_SPEC.alphabet)
    expected = sum(text == text_of(label, TOY_SPEC.alphabet) for text, label in zip(texts, labels, strict=True))
    before = [weight.asnumpy().tobytes() for weight in network.trainable_params()]
    with served(ToySource(counts={"train": 200, "valid": _COUNT})) as target, connect(target) as client:
        validator = Validator(network, client, "cpu", SINGLE_RANK, max_samples)
        for _ in range(2):
            result = validator.run()
            assert (result.correct, result.samples) == (expected, num)
        assert [weight.asnumpy().tobytes() for weight in network.trainable_params()] == before
        _always_read(network, 10)  # The blank: no label is empty.
        assert validator.run().correct == 0
    assert max_samples < 100 or 0 < expected < num


def test_it_sees_the_weights_as_the_last_step_left_them() -> None:
    config = load_config({}, None, ["hidden_size=16", "columns_per_frame=2", "learning_rate=0.05", "warmup_steps=1"])
    step = build_step(config, TOY_SPEC, RankSlice(count=1000, global_batch_size=64), 400, "cpu", SINGLE_RANK)
    images, labels = toy_samples(TOY_SPEC, "train", np.arange(64, dtype=np.uint64))
    validating, seen = BestPath(step.network, "cpu"), set()
    for _ in range(3):
        for _ in range(30):
            step.run(ms.Tensor(images), ms.Tensor(labels.astype(np.int32)), stop=False, wait_s=0.0)
        path = validating.run(images)
        same_weights = CaptchaNetwork(step.network.spec)
        for copy, weight in zip(same_weights.trainable_params(), step.weights, strict=True):
            copy.set_data(ms.Tensor(weight.asnumpy()))
        assert np.array_equal(path, same_weights(ms.Tensor(images)).asnumpy().argmax(2))
        seen.add(path.tobytes())
    assert len(seen) > 1
