"""The matrix products of a training step alone, by NumPy's sgemm: the time that no step can be shorter than."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

from shared.recogniser.network.constants import STAGES
from shared.recogniser.network.network_spec import RESIZED_HEIGHT
from trainer.presets import PRESETS

Product = tuple[int, int, int, int]
"How often, and [m, k] x [k, n]."
BATCH, TAPS = 64, 9


def unset_openblas() -> list[str]:
    """Options of `env`: without settings that keep OpenBLAS from its fastest kernels."""
    return [word for key in os.environ if key.startswith("OPENBLAS_") for word in ("-u", key)]


def prepared(products: Iterable[Product]) -> Callable[[], None]:
    """Makes all products, with random numbers, at each call."""
    rng = np.random.default_rng(0)
    drawn = [
        (num, rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32))
        for num, m, k, n in products
    ]
    made = [(num, a, b, np.empty((len(a), b.shape[1]), np.float32)) for num, a, b in drawn]

    def multiply() -> None:
        for num, a, b, out in made:
            for _ in range(num):
                np.matmul(a, b, out=out)

    return multiply


def gflop(products: Iterable[Product]) -> float:
    """A multiplication and an addition are two."""
    return sum(2e-9 * num * m * k * n for num, m, k, n in products)


def lstm_products(frames: int, batch: int, inputs: int, hidden: int, *, inputs_are_learnt: bool) -> Iterator[Product]:
    """Of one layer, forward and backward; recurrent ones frame by frame, as the layer must."""
    rows, gates = batch * frames, 4 * hidden
    yield 1, rows, inputs, gates  # Frames by input weights.
    yield frames, batch, hidden, gates  # Hidden states by recurrent weights.
    yield 1, inputs, rows, gates  # Gradient of input weights.
    yield 1, hidden, rows, gates  # Of recurrent weights.
    yield frames, batch, gates, hidden  # Of hidden states.
    if inputs_are_learnt:
        yield 1, rows, gates, inputs


def dense_products(rows: int, inputs: int, outputs: int) -> Iterator[Product]:
    """Forward, and the gradients of inputs and weights."""
    yield 1, rows, inputs, outputs
    yield 1, rows, outputs, inputs
    yield 1, inputs, rows, outputs


def crnn_products(columns: int, classes: int) -> list[Product]:
    """Of a step of `crnn`, images resized to so many columns."""
    products: list[Product] = []
    for channels, outputs, positions, _ in crnn_stages(columns):
        products += [(1, BATCH * positions, TAPS * channels, outputs), (1, TAPS * channels, BATCH * positions, outputs)]
        if channels > 3:  # Nothing is learnt before the first stage.
            products.append((1, BATCH * positions, TAPS * outputs, channels))
    *_, (_, outputs, positions, cell) = crnn_stages(columns)
    frames, hidden = columns // 4, PRESETS["crnn"]["hidden_size"]
    frame_size = positions // cell // frames * outputs
    for _ in range(2):
        products += lstm_products(frames, BATCH, frame_size, hidden, inputs_are_learnt=True)
    return [*products, *dense_products(BATCH * frames, 2 * hidden + frame_size, classes)]


def crnn_stages(columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Channels in and out, positions before pooling, positions that pooling makes one of."""
    positions, channels = columns * RESIZED_HEIGHT, [3, *(outputs for outputs, _, _ in STAGES)]
    for (inputs, outputs), (_, width, height) in zip(pairwise(channels), STAGES, strict=True):
        yield inputs, outputs, positions, width * height
        positions //= width * height
