"""The learning rate against its formula."""

import math

import mindspore as ms
import pytest

from shared.dataset.rank_slice import RankSlice
from trainer.config import load_config
from trainer.presets import PRESETS
from trainer.training.learning_rate import WarmupCosine, WarmupTenths, learning_rate


@pytest.mark.parametrize("step", [0, 1, 9, 10, 11, 55, 99])
def test_the_rate_follows_warm_up_and_half_a_cosine(step: int) -> None:
    rate = float(WarmupCosine(0.5, 10, 100)(ms.Tensor(step, ms.int32)).asnumpy())
    assert WarmupCosine(0.5, 10, 100).at(step) == pytest.approx(rate, rel=1e-4)
    cosine = 0.5 * 0.5 * (1 + math.cos(math.pi * max(0, step - 10) / 90))
    assert rate == pytest.approx(min(0.5 * (step + 1) / 10, cosine), rel=1e-4)


def _published(num_epochs: int, epoch_steps: int, rate: float) -> list[float]:
    """As documented: multiplied by 0.1 at every 10th epoch, counted from 1."""
    rates = []
    for epoch in range(1, num_epochs + 1):
        rate *= 0.1 if epoch % 10 == 0 else 1
        rates += [rate] * epoch_steps
    return rates


@pytest.mark.parametrize("ranks", [1, 8])
def test_the_zoo_preset_has_the_published_rates(ranks: int) -> None:
    config = load_config(PRESETS["zoo"], None, ["batch_size=2"])
    schedule = learning_rate(config, RankSlice(count=50, global_batch_size=2 * ranks, ranks=ranks), num_steps=10**6)
    epoch_steps = 50 // (2 * ranks)
    rates = _published(30, epoch_steps, 0.01 * ranks)
    assert [schedule.at(step) for step in range(len(rates))] == pytest.approx(rates)
    for step in (0, 9 * epoch_steps - 1, 9 * epoch_steps, 19 * epoch_steps, len(rates) - 1):
        assert float(schedule(ms.Tensor(step, ms.int32)).asnumpy()) == pytest.approx(rates[step], rel=1e-5)


def test_tenths_may_begin_with_a_rise() -> None:
    schedule = WarmupTenths(0.5, warmup_steps=4, decay_epochs=2, epoch_steps=4)
    rates = [0.125, 0.25, 0.375, 0.5, 0.05, 0.05]
    assert [schedule.at(step) for step in range(6)] == pytest.approx(rates)
    assert [float(schedule(ms.Tensor(step, ms.int32)).asnumpy()) for step in range(6)] == pytest.approx(rates)
