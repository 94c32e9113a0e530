"""The network, its CTC loss and the gradients once more: NumPy, float64, one step at a time, from the equations alone.

LSTM with forget gate: Hochreiter and Schmidhuber (1997), Gers et al. (2000); its gradient is backpropagation through
time. CTC: Graves et al. (2006), forward and backward variables in the log domain.
"""

from collections.abc import Sequence

import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray

from shared.recogniser.network.network_spec import NetworkSpec

Array = NDArray[np.float64]
RED_SHARE, BLUE_SHARE = 0.299, 0.114
LUMA_BT601 = np.array([RED_SHARE, 1 - RED_SHARE - BLUE_SHARE, BLUE_SHARE])
"Recommendation ITU-R BT.601, section 2.5.1: the luma of red, green and blue."
MASK_GAIN = ImageCaptcha.lookup_table[200] / 200
"The captcha library draws a digit through a mask of its luma times this, at most 255."
LEAST_STRENGTH, GROUND, FULL_INK = 0.04, -0.6, 3.4
"What the network is given, by definition: see `Ink`. `test_preprocessing.py` measures them on images."
Weights = dict[str, Array]
Tape = list[tuple[Array, ...]]


def frames_of(images: NDArray[np.uint8], spec: NetworkSpec) -> Array:
    """[num_frames, n, values]: the pixels of a frame row by row."""
    see = _ink if spec.pixels == "ink" else _colour
    pixels = np.stack([see(image.astype(np.float64)) for image in images])
    columns = np.split(pixels, spec.num_frames, axis=2)
    return np.stack([part.reshape(len(images), -1) for part in columns])


def logits_of(weights: Weights, images: NDArray[np.uint8], spec: NetworkSpec) -> Array:
    """[num_frames, n, num_classes]."""
    return _forward(weights, images, spec)[0]


def losses_and_gradients(
    weights: Weights, images: NDArray[np.uint8], labels: Sequence[Sequence[int]], spec: NetworkSpec
) -> tuple[Array, Weights]:
    """The CTC loss of each sample [n], and the gradient of their sum for each of the weights."""
    logits, hidden, first_tape, second_tape = _forward(weights, images, spec)
    each = [ctc(logits[:, n], label) for n, label in enumerate(labels)]
    d_logits = np.stack([gradient for _, gradient in each], axis=1)
    grads = {
        "classify.weight": np.einsum("tnc,tnh->ch", d_logits, hidden),
        "classify.bias": d_logits.sum((0, 1)),
    }
    d_hidden = d_logits @ weights["classify.weight"]
    if spec.second_layer == "parallel":
        ahead, back, _ = np.split(d_hidden, [spec.hidden_size, 2 * spec.hidden_size], axis=2)
        first, second = (
            _lstm_backward(tape, d_out, weights, name)[1]
            for tape, d_out, name in ((first_tape, ahead, "first"), (second_tape, back[::-1], "second"))
        )
        return np.array([loss for loss, _ in each]), grads | first | second
    d_hidden, second = _lstm_backward(second_tape, _as_read(d_hidden, spec), weights, "second")
    _, first = _lstm_backward(first_tape, _as_read(d_hidden, spec), weights, "first")
    return np.array([loss for loss, _ in each]), grads | first | second


def ctc(logits: Array, label: Sequence[int]) -> tuple[float, Array]:
    """logits [num_frames, num_classes], the last class being the blank -> loss and its gradient by the logits."""
    log_y = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    num_frames, num_classes = logits.shape
    blank = num_classes - 1
    path = [blank] + [symbol for character in label for symbol in (character, blank)]
    last = len(path) - 1
    skips = [s >= 2 and path[s] not in (blank, path[s - 2]) for s in range(len(path))]
    forward = np.full((num_frames, len(path)), -np.inf)
    backward = forward.copy()
    forward[0, :2] = log_y[0, path[:2]]
    backward[-1, -2:] = 0.0
    for t in range(1, num_frames):
        for s in range(len(path)):
            sources = [s, *([s - 1] if s else []), *([s - 2] if skips[s] else [])]
            forward[t, s] = np.logaddexp.reduce(forward[t - 1, sources]) + log_y[t, path[s]]
    for t in reversed(range(num_frames - 1)):
        for s in range(len(path)):
            targets = [s, *([s + 1] if s < last else []), *([s + 2] if s + 2 <= last and skips[s + 2] else [])]
            backward[t, s] = np.logaddexp.reduce([backward[t + 1, to] + log_y[t + 1, path[to]] for to in targets])
    log_p = np.logaddexp(forward[-1, -1], forward[-1, -2])
    occupied = np.zeros_like(logits)
    for s, symbol in enumerate(path):
        occupied[:, symbol] += np.exp(forward[:, s] + backward[:, s] - log_p)
    return -float(log_p), np.exp(log_y) - occupied


def _ink(image: Array) -> Array:
    """No constant comes from `Ink`: luma from the standard, the strength of digits from the library that draws them."""
    luma = image @ LUMA_BT601
    strength = np.clip(luma.min() * MASK_GAIN / 255, LEAST_STRENGTH, 1)
    ink = np.clip((luma.max() - luma) / (luma.max() - luma.min() + 1) / strength, 0, 1)
    scaled: Array = GROUND + ink * (FULL_INK - GROUND)
    return scaled


def _colour(image: Array) -> Array:
    """The published example's normalisation, of blue, green and red."""
    blue_green_red = image[..., ::-1] / 255
    return (blue_green_red - [0.9010, 0.9049, 0.9025]) / [0.1521, 0.1347, 0.1458]


def _forward(weights: Weights, images: NDArray[np.uint8], spec: NetworkSpec) -> tuple[Array, Array, Tape, Tape]:
    frames = frames_of(images, spec)
    hidden, first_tape = _lstm(frames, weights, "first")
    if spec.second_layer == "parallel":
        back, second_tape = _lstm(frames[::-1], weights, "second")
        hidden = np.concatenate((hidden, back[::-1], frames), axis=2)
    else:
        hidden, second_tape = _lstm(_as_read(hidden, spec), weights, "second")
        hidden = _as_read(hidden, spec)
    return hidden @ weights["classify.weight"].T + weights["classify.bias"], hidden, first_tape, second_tape


def _as_read(steps: Array, spec: NetworkSpec) -> Array:
    """In the order in which the second layer reads; the same again turns back."""
    return steps[::-1] if spec.second_layer == "backward" else steps


def _lstm(frames: Array, weights: Weights, name: str) -> tuple[Array, Tape]:
    w_in, w_rec = weights[f"{name}.weight_ih_l0"], weights[f"{name}.weight_hh_l0"]
    bias = weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]
    hidden = cell = np.zeros((frames.shape[1], w_rec.shape[1]))
    out: list[Array] = []
    tape: Tape = []
    for frame in frames:
        sums = np.split(frame @ w_in.T + hidden @ w_rec.T + bias, 4, axis=1)
        gate_in, forget, gate_out = (_sigmoid(sums[gate]) for gate in (0, 1, 3))
        candidate = np.tanh(sums[2])
        before = hidden, cell
        cell = forget * cell + gate_in * candidate
        hidden = gate_out * np.tanh(cell)
        tape.append((frame, *before, gate_in, forget, candidate, gate_out, cell))
        out.append(hidden)
    return np.stack(out), tape


def _lstm_backward(tape: Tape, d_out: Array, weights: Weights, name: str) -> tuple[Array, Weights]:
    """The gradient by the layer's input, and by its weights."""
    w_in, w_rec = weights[f"{name}.weight_ih_l0"], weights[f"{name}.weight_hh_l0"]
    d_in, d_rec, d_bias = np.zeros_like(w_in), np.zeros_like(w_rec), np.zeros(len(w_rec))
    d_hidden = d_cell = np.zeros_like(d_out[0])
    d_frames = []
    for (frame, hidden, cell, gate_in, forget, candidate, gate_out, new_cell), d_step in zip(
        reversed(tape), d_out[::-1], strict=True
    ):
        d_hidden = d_hidden + d_step
        squashed = np.tanh(new_cell)
        d_cell = d_cell + d_hidden * gate_out * (1 - squashed**2)
        d_sums = np.concatenate(
            [
                d_cell * candidate * gate_in * (1 - gate_in),
                d_cell * cell * forget * (1 - forget),
                d_cell * gate_in * (1 - candidate**2),
                d_hidden * squashed * gate_out * (1 - gate_out),
            ],
            axis=1,
        )
        d_in, d_rec, d_bias = d_in + d_sums.T @ frame, d_rec + d_sums.T @ hidden, d_bias + d_sums.sum(0)
        d_frames.append(d_sums @ w_in)
        d_hidden, d_cell = d_sums @ w_rec, d_cell * forget
    grads = {"weight_ih_l0": d_in, "weight_hh_l0": d_rec, "bias_ih_l0": d_bias, "bias_hh_l0": d_bias}
    return np.stack(d_frames[::-1]), {f"{name}.{key}": grad for key, grad in grads.items()}


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))
