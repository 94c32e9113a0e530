"""What a training step needs besides its matrix products: gathered windows, elementwise passes, the update; by NumPy.

MindSpore runs one operator of `crnn` after the other on the CPU, so each sum, maximum and activation reads its operands
from memory and writes its result there. Those of `fast` are counted as if they found all in the caches: the gates frame
by frame, as its layers take them, the weights block by block.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.training.matrix_products import BATCH, TAPS, crnn_stages
from trainer.presets import PRESETS

Array = NDArray[np.float32]
_BLOCK = 1 << 14
"Weights that are updated at a time: what an update needs of them lies in a cache."


def fast_passes(pixels: int, frames: int, hidden: int, weights: int) -> Callable[[], None]:
    """Pixel values made float32, the gates of two LSTM layers there and back, clipping and Adam over all weights."""
    rng = np.random.default_rng(0)
    images, values = rng.integers(0, 256, pixels, dtype=np.uint8), np.empty(pixels, np.float32)
    gates, grads, out = (rng.normal(size=(BATCH, 4, hidden)).astype(np.float32) for _ in range(3))
    cell, state = (rng.normal(size=(BATCH, hidden)).astype(np.float32) for _ in range(2))
    update = _adam(weights)

    def take() -> None:
        np.copyto(values, images)
        for _ in range(2 * frames):
            _gates(gates, out, cell, state)
            _gates_back(gates, grads, out, cell, state)
        update()

    return take


def _gates(gates: Array, out: Array, cell: Array, state: Array) -> None:
    """Activations, the new cell and the new hidden state."""
    np.tanh(gates, out=out)  # A sigmoid is one too, of half its argument.
    np.multiply(out[:, 0], cell, out=cell)
    np.multiply(out[:, 1], out[:, 2], out=state)
    np.add(cell, state, out=cell)
    np.tanh(cell, out=state)
    np.multiply(state, out[:, 3], out=state)


def _gates_back(gates: Array, grads: Array, out: Array, cell: Array, state: Array) -> None:
    """Derivatives of the activations times what comes back, and the cell's gradient."""
    np.multiply(gates, gates, out=out)
    np.subtract(1, out, out=out)
    np.multiply(out, grads, out=out)
    np.multiply(out, cell[:, None], out=out)
    np.multiply(state, grads[:, 0], out=cell)
    np.add(cell, grads[:, 1], out=cell)


def _adam(weights: int) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    weight, grad, mean, square = (rng.random((weights // _BLOCK + 1, _BLOCK), np.float32) for _ in range(4))
    part, step = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)

    def update() -> None:
        for block in grad:
            np.dot(block, block)  # The norm, for clipping.
        for w, g, m, v in zip(weight, grad, mean, square, strict=True):
            np.multiply(g, 0.1, out=part)
            np.multiply(m, 0.9, out=m)
            np.add(m, part, out=m)
            np.multiply(part, part, out=part)
            np.multiply(v, 0.999, out=v)
            np.add(v, part, out=v)
            np.sqrt(v, out=step)
            np.divide(m, step, out=step)
            np.subtract(w, step, out=w)

    return update


def crnn_gathers(columns: int) -> Callable[[], None]:
    """Windows of inputs, and of the outputs' gradients where the inputs' are asked for."""
    rng, made = np.random.default_rng(0), []
    for inputs, outputs, positions, _ in crnn_stages(columns):
        window = (np.arange(positions)[:, None] + np.arange(TAPS)).reshape(-1) % positions
        for channels in (inputs, outputs) if inputs > 3 else (inputs,):
            x = rng.normal(size=(BATCH, positions, channels)).astype(np.float32)
            made.append((x, window, np.empty((BATCH, len(window), channels), np.float32)))

    def gather() -> None:
        for x, window, out in made:
            np.take(x, window, axis=1, out=out, mode="clip")

    return gather


def crnn_passes(columns: int) -> Callable[[], None]:
    """The elementwise operators of the stages and of the LSTM layers' gates, forward and backward."""
    rng, stages, largest = np.random.default_rng(0), [], 0
    for inputs, outputs, positions, cell in crnn_stages(columns):
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


def cpu_s(take: Callable[[], None], num_steps: int) -> float:
    """CPU seconds of one call; one more warms up."""
    take()
    started = time.process_time()
    for _ in range(num_steps):
        take()
    return (time.process_time() - started) / num_steps
