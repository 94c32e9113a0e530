"""Whether a label fits the network's frames. Without MindSpore.

CTC spells at most one character in a frame, and wants a blank between two equal characters that stand side by side
(Graves et al., ICML 2006). So a label needs as many frames as it has characters, and one more for each such pair. For
one that has fewer, the loss is infinite and no training helps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError


def frames_needed(labels: NDArray[np.integer[Any]], blank: int) -> NDArray[np.int64]:
    """int64 [n]: the fewest frames for each label [n, max_length], which ends at its first blank class."""
    inside = np.cumprod(labels < blank, axis=1)
    pairs = inside[:, 1:] * (labels[:, 1:] == labels[:, :-1])
    needed: NDArray[np.int64] = inside.sum(axis=1) + pairs.sum(axis=1)
    return needed


def most_frames_needed(spec: DatasetSpec) -> int:
    """For the longest label of one repeated character, the worst that a data set of this spec may hold."""
    return 2 * spec.max_length - 1


def check_longest_label(spec: DatasetSpec, num_frames: int, remedy: str) -> None:
    """Raises `UsageError` when labels of the greatest length fit under no circumstances. `remedy`: what to do."""
    if spec.max_length > num_frames:
        have = f"this network reads an image of {spec.width}x{spec.height} in {num_frames}"
        raise UsageError(f"labels of {spec.max_length} characters need {spec.max_length} frames, but {have}; {remedy}")


def check_labels(
    labels: NDArray[np.integer[Any]], indices: NDArray[np.uint64], spec: DatasetSpec, num_frames: int, remedy: str
) -> None:
    """Raises `UsageError` naming the first sample whose label [n, max_length] does not fit; `remedy`: what to do."""
    if most_frames_needed(spec) <= num_frames:
        return
    needed = frames_needed(labels, spec.blank)
    if (too_long := np.flatnonzero(needed > num_frames)).size:
        row = int(too_long[0])
        text = "".join(spec.alphabet[value] for value in labels[row] if value < spec.blank)
        why = f"needs {needed[row]} frames (one a character and one between equal neighbours)"
        raise UsageError(f"sample {indices[row]}: its label {text!r} {why}, but the network has {num_frames}; {remedy}")
