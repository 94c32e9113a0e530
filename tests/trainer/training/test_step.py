"""A step of either preset, at a small size, against NumPy: loss, gradients and the weights that it leaves."""

from collections.abc import Iterator

import mindspore as ms
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from tests.shared.recogniser import oracle
from trainer.config import TrainerConfig, load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.presets import PRESETS
from trainer.training.step import TrainStep, build_step

SPEC = DatasetSpec(width=24, height=16)
LABELS = [[7], [3, 3], [0, 9, 1, 2], [5, 5, 5, 8]]
NUM = len(LABELS)
SLICE = RankSlice(count=2 * NUM, global_batch_size=NUM)


def _config(preset: str, *overrides: str) -> TrainerConfig:
    columns = "columns_per_frame=1" if preset == "zoo" else "columns_per_frame=2"
    return load_config(PRESETS[preset], None, ["hidden_size=8", columns, *overrides])


def _step(config: TrainerConfig) -> TrainStep:
    return build_step(config, SPEC, SLICE, num_steps=100, device="cpu", world=SINGLE_RANK)


def _batch(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    images = np.random.default_rng(seed).integers(0, 256, (NUM, *SPEC.image_shape), np.uint8)
    labels = [label + [SPEC.blank] * (SPEC.max_length - len(label)) for label in LABELS]
    return images, np.array(labels, np.int32)


def _weights(step: TrainStep) -> oracle.Weights:
    return {weight.name: weight.asnumpy().astype(np.float64) for weight in step.weights}


def _norm(grads: oracle.Weights) -> float:
    return float(np.sqrt(sum((grad**2).sum() for grad in grads.values())))


@pytest.mark.parametrize(("preset", "more"), [("fast", []), ("fast", ["second_layer=parallel"]), ("zoo", [])])
def test_loss_and_gradients_agree_with_the_oracle(preset: str, more: list[str]) -> None:
    step, (images, labels) = _step(_config(preset, *more)), _batch(0)
    loss, grads = step.gradient(ms.Tensor(images), ms.Tensor(labels))
    losses, expected = oracle.losses_and_gradients(_weights(step), images, LABELS, step.network.spec)
    parts = NUM if preset == "fast" else 1  # The published loss is a sum, not a mean.
    assert float(loss.asnumpy()) == pytest.approx(losses.sum() / parts, rel=1e-5)
    for weight, grad in zip(step.weights, grads, strict=True):
        exact = expected[weight.name] / parts
        assert np.abs(grad.asnumpy() - exact).max() <= 1e-4 * np.abs(exact).max(), weight.name


def _published_steps(step: TrainStep, rates: list[float]) -> Iterator[tuple[float, float, oracle.Weights]]:
    """Mean loss, gradient norm and new weights of each step: sum of losses, clip at 10, SGD with momentum 0.9."""
    weights = _weights(step)
    velocity = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for seed, rate in enumerate(rates):
        losses, grads = oracle.losses_and_gradients(weights, _batch(seed)[0], LABELS, step.network.spec)
        norm = _norm(grads)
        for name, grad in grads.items():
            velocity[name] = 0.9 * velocity[name] + grad * 10 / max(norm, 10)
            weights[name] = weights[name] - rate * velocity[name]
        yield losses.mean(), norm, dict(weights)


def test_steps_of_the_zoo_preset_are_the_published_ones() -> None:
    """Two steps an epoch: the second epoch begins at the third step, and with it a tenth of the rate."""
    step = _step(_config("zoo", "decay_epochs=2"))
    norms = []
    for seed, (loss, norm, weights) in enumerate(_published_steps(step, [0.01, 0.01, 0.001, 0.001])):
        images, labels = _batch(seed)
        result = step.run(ms.Tensor(images), ms.Tensor(labels), stop=False, wait_s=0.0)
        assert result.loss == pytest.approx(loss, rel=1e-4)
        assert result.grad_norm == pytest.approx(norm, rel=1e-3)
        norms.append(norm)
        for name, weight in _weights(step).items():
            assert np.abs(weight - weights[name]).max() < 1e-4, name
    assert max(norms) > 10, "clipping was never needed"


def test_the_published_rate_grows_with_the_ranks() -> None:
    config = _config("zoo")
    on_four = RankSlice(count=64, global_batch_size=4 * NUM, ranks=4)
    step = build_step(config, SPEC, on_four, num_steps=100, device="cpu", world=SINGLE_RANK)
    assert step.learning_rate(0) == pytest.approx(0.04)


def test_adam_takes_the_momentum_as_its_first_decay() -> None:
    assert float(_step(_config("fast", "momentum=0.8")).optimizer.beta1.asnumpy()) == pytest.approx(0.8)


@pytest.mark.parametrize(("preset", "decay"), [("fast", 0.999), ("crnn", 0.99)])
def test_adam_forgets_squares_as_the_preset_says(preset: str, decay: float) -> None:
    assert float(_step(_config(preset)).optimizer.beta2.asnumpy()) == pytest.approx(decay)
