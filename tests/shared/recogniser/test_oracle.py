"""The oracle itself: against every path written out, and against differences."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from shared.recogniser.network.network_spec import NetworkSpec
from tests.shared.recogniser import oracle

SPEC = NetworkSpec(height=4, width=12, num_classes=4, hidden_size=3, columns_per_frame=2)


def _collapsed(path: Sequence[int], blank: int) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != blank]


@pytest.mark.parametrize("label", [[0], [1, 0], [1, 1], [0, 1, 0]])
def test_the_ctc_loss_sums_over_all_paths(label: list[int]) -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3))
    y = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    paths = [path for path in itertools.product(range(3), repeat=5) if _collapsed(path, blank=2) == label]
    probability = sum(np.prod(y[range(5), path]) for path in paths)
    assert oracle.ctc(logits, label)[0] == pytest.approx(-np.log(probability))


@pytest.mark.parametrize("second_layer", ["forward", "backward", "parallel"])
def test_the_gradients_are_differences(second_layer: str) -> None:
    rng = np.random.default_rng(1)
    spec = NetworkSpec(**{**vars(SPEC), "second_layer": second_layer})
    images, labels = rng.integers(0, 256, (2, 4, 12, 3), np.uint8), [[0, 1], [2, 2]]
    read_by_second, seen = (8, 3 + 3 + 8) if second_layer == "parallel" else (3, 3)
    shapes = {"classify.weight": (4, seen), "classify.bias": (4,)}
    for name, size in (("first", 8), ("second", read_by_second)):
        shapes |= {f"{name}.weight_ih_l0": (12, size), f"{name}.weight_hh_l0": (12, 3)}
        shapes |= {f"{name}.bias_ih_l0": (12,), f"{name}.bias_hh_l0": (12,)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    _, grads = oracle.losses_and_gradients(weights, images, labels, spec)
    for name, shape in shapes.items():
        direction = rng.normal(size=shape)
        up, down = (
            oracle.losses_and_gradients(
                weights | {name: weights[name] + step * direction}, images, labels, spec
            )[0].sum()
            for step in (1e-5, -1e-5)
        )  # fmt: skip
        assert (up - down) / 2e-5 == pytest.approx((grads[name] * direction).sum(), rel=1e-6, abs=1e-8)
