"""The learning rate against its formula."""

import math

import mindspore as ms
import pytest

from trainer.schedule import WarmupCosine


@pytest.mark.parametrize("step", [0, 1, 9, 10, 11, 55, 99])
def test_the_rate_follows_warm_up_and_half_a_cosine(step: int) -> None:
    rate = float(WarmupCosine(0.5, 10, 100)(ms.Tensor(step, ms.int32)).asnumpy())
    assert WarmupCosine(0.5, 10, 100).at(step) == pytest.approx(rate, rel=1e-4)
    cosine = 0.5 * 0.5 * (1 + math.cos(math.pi * max(0, step - 10) / 90))
    assert rate == pytest.approx(min(0.5 * (step + 1) / 10, cosine), rel=1e-4)
