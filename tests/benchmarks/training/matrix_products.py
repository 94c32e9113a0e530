"""The matrix products of a training step alone, by NumPy's sgemm: the time that no step can be shorter than; and what
a step made of single operators needs besides.

    python -m tests.benchmarks.training.matrix_products KIND.npz STEPS

prints CPU seconds of those of `crnn` on one kind of captchas, for `bench_crnn`: the products, gathering the windows
that convolutions multiply, and elementwise passes: MindSpore runs one operator after the other on the CPU, so each
sum, maximum and activation reads its operands from memory and writes its result there.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from shared.recogniser.network.constants import STAGES
from shared.recogniser.network.network_spec import RESIZED_HEIGHT, resized_width
from trainer.presets import PRESETS

Product = tuple[int, int, int, int]
"How often, and [m, k] x [k, n]."
BATCH, TAPS = 64, 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", type=Path)
    parser.add_argument("steps", type=int)
    options = parser.parse_args()
    pictures = np.load(options.kind)
    (height, width), labels = pictures["images"].shape[1:3], [str(label) for label in pictures["labels"]]
    columns = resized_width(width, height, max(map(len, labels)))
    sides = {
        "products_cpu_s_per_step": prepared(crnn_products(columns, len(set("".join(labels))) + 1)),
        "gathers_cpu_s_per_step": _gathers(columns),
        "passes_cpu_s_per_step": _passes(columns),
    }
    print(json.dumps({name: _cpu_s(side, options.steps) for name, side in sides.items()}))


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
    for channels, outputs, positions, _ in _stages(columns):
        products += [(1, BATCH * positions, TAPS * channels, outputs), (1, TAPS * channels, BATCH * positions, outputs)]
        if channels > 3:  # Nothing is learnt before the first stage.
            products.append((1, BATCH * positions, TAPS * outputs, channels))
    *_, (_, outputs, positions, cell) = _stages(columns)
    frames, hidden = columns // 4, PRESETS["crnn"]["hidden_size"]
    frame_size = positions // cell // frames * outputs
    for _ in range(2):
        products += lstm_products(frames, BATCH, frame_size, hidden, inputs_are_learnt=True)
    return [*products, *dense_products(BATCH * frames, 2 * hidden + frame_size, classes)]


def _stages(columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Channels in and out, positions before pooling, positions that pooling makes one of."""
    positions, channels = columns * RESIZED_HEIGHT, [3, *(outputs for outputs, _, _ in STAGES)]
    for (inputs, outputs), (_, width, height) in zip(pairwise(channels), STAGES, strict=True):
        yield inputs, outputs, positions, width * height
        positions //= width * height


def _gathers(columns: int) -> Callable[[], None]:
    """Windows of inputs, and of the outputs' gradients where the inputs' are asked for."""
    rng, made = np.random.default_rng(0), []
    for inputs, outputs, positions, _ in _stages(columns):
        window = (np.arange(positions)[:, None] + np.arange(TAPS)).reshape(-1) % positions
        for channels in (inputs, outputs) if inputs > 3 else (inputs,):
            x = rng.normal(size=(BATCH, positions, channels)).astype(np.float32)
            made.append((x, window, np.empty((BATCH, len(window), channels), np.float32)))

    def gather() -> None:
        for x, window, out in made:
            np.take(x, window, axis=1, out=out, mode="clip")

    return gather


def _passes(columns: int) -> Callable[[], None]:
    """The elementwise operators of the stages and of the LSTM layers' gates, forward and backward."""
    rng, stages, largest = np.random.default_rng(0), [], 0
    for inputs, outputs, positions, cell in _stages(columns):
        sizes = BATCH * positions // cell * outputs, BATCH * positions * outputs, BATCH * positions * inputs
        stages.append((cell, outputs, *sizes))
        largest = max(largest, *sizes)
    hidden = PRESETS["crnn"]["hidden_size"]
    gate = columns // 4 * BATCH * hidden
    a, b, out = (rng.normal(size=max(largest, gate)).astype(np.float32) for _ in range(3))

    def take() -> None:
        for cell, outputs, pooled, whole, before in stages:
            np.copyto(out[:before], a[:before])  # Zeros are put beyond the edge.
            for _ in range(cell - 1):  # Pooling.
                np.maximum(a[:pooled], b[:pooled], out=out[:pooled])
            np.add(a[:pooled].reshape(-1, outputs), b[:outputs], out=out[:pooled].reshape(-1, outputs))
            np.maximum(a[:pooled], 0, out=out[:pooled])
            np.multiply(a[:pooled], b[:pooled], out=out[:pooled])  # Backward: ReLU, shift, pooling.
            a[:pooled].reshape(-1, outputs).sum(axis=0)
            for _ in range(3 * (cell - 1)):
                np.subtract(a[:pooled], b[:pooled], out=out[:pooled])
            for _ in range(2):  # The parts joined, and zeros beyond the edge.
                np.copyto(out[:whole], a[:whole])
        for _ in range(2 * 5):  # Two layers, five activations; each multiplied or added three times, then or backward.
            np.tanh(a[:gate], out=out[:gate])
            for _ in range(3):
                np.multiply(a[:gate], b[:gate], out=out[:gate])

    return take


def _cpu_s(take: Callable[[], None], num_steps: int) -> float:
    take()
    started = time.process_time()
    for _ in range(num_steps):
        take()
    return (time.process_time() - started) / num_steps


if __name__ == "__main__":
    main()
