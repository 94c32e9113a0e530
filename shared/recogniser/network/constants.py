"""Numbers of the network that an exported one needs as well. Without MindSpore."""

import numpy as np
from numpy.typing import NDArray

# ITU-R BT.601 luma, which the captcha library's renderer weighs colours by (Pillow's conversion to "L").
LUMA = (0.299, 0.587, 0.114)
# It pastes digits through a mask of 1.97 times their luma: dark digits come out pale.
MASK_GAIN = 1.97 / 255.0
# Of blue, green and red, as the published example normalises them.
MEANS = np.array((0.9010, 0.9049, 0.9025))
DEVIATIONS = np.array((0.1521, 0.1347, 0.1458))
STAGES = ((16, 2, 2), (32, 2, 2), (64, 1, 2), (96, 1, 2))
"Channels, and width and height of the pooling cell, of each stage."
FRAME_SCALE = 0.125
"""Of what the LSTM layers and the classifier get, whose deviation is about 10 before. Undiminished, a rounding grew to
5e-4 of the loss within 50 steps, and ranks went apart; so it grows to 1e-5."""


def area_weights(size: int, new_size: int) -> NDArray[np.float32]:
    """[new_size, size]: the share that each old pixel has in a new one."""
    edges = np.arange(new_size + 1) * (size / new_size)
    pixels = np.arange(size)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.maximum(covered, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
