"""Validation counts what the network reads of the first samples of the split, and leaves the weights alone."""

import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.client import connect
from shared.dataset.rank_slice import RankSlice
from shared.protocol.batch import Records, text_of
from shared.protocol.codec import Codec
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from shared.recogniser.network.captcha_network import CaptchaNetwork
from shared.recogniser.network.network_spec import NetworkSpec
from tests.support.services import served
from tests.support.toys import TOY_SPEC, ToySource, toy_samples
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.run_dir import RunDir
from trainer.training.loop import Trainer
from trainer.training.step import StepResult, TrainStep, build_step
from trainer.training.validation import BestPath, Validator

_COUNT = 150


class _RecordingSource(ToySource):
    """Tells of which split each read was."""

    def __init__(self) -> None:
        super().__init__(counts={"train": 1000, "valid": _COUNT})
        self.splits: list[str] = []

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Future[Records]:
        self.splits.append(split)
        return super().read(split, indices, codec)

    def wait_for(self, split: str) -> bool:
        """Whether it is asked for within ten seconds."""
        ends = time.monotonic() + 10
        while split not in self.splits and time.monotonic() < ends:
            time.sleep(0.01)
        return split in self.splits


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


def test_prepared_samples_are_read_once_and_given_up_when_nobody_will_read_them() -> None:
    source = _RecordingSource()
    with served(source) as target, connect(target) as client:
        validator = Validator(_network(), client, "cpu", SINGLE_RANK, _COUNT)
        plain = validator.run()
        reads = len(source.splits)
        source.splits.clear()
        validator.prepare()
        assert source.wait_for("valid")
        validator.prepare()
        assert validator.run() == plain
        assert len(source.splits) == reads
        validator.prepare()
        validator.close()
        validator.close()


def test_its_samples_come_while_the_step_before_it_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["hidden_size=16", "columns_per_frame=2", "global_batch_size=8", "steps=3", "validate_steps=2"]
    source, run = _RecordingSource(), TrainStep.run
    came: list[bool] = []

    def recorded(step: TrainStep, *inputs: Any, **more: Any) -> StepResult:
        result: StepResult = run(step, *inputs, **more)
        came.append("valid" in source.splits if not came else source.wait_for("valid"))
        source.splits.clear()
        return result

    monkeypatch.setattr(TrainStep, "run", recorded)
    with served(source) as target, connect(target) as client:
        trainer = Trainer(load_config({}, None, keys), client, RunDir(tmp_path / "run"), "cpu")
        assert trainer.train().steps == 3
    assert came == [False, True, True]
