"""The worst errors, one by one: the picture, what it says, what was read, and which frame emitted what.

"Worst" is what the network held least likely to be right: the highest CTC loss.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluator.scores import Misreading
from shared.client import DatasetClient
from shared.recogniser.ctc_decoding import Pair, align

NUM_EXHIBITS = 24


@dataclass(frozen=True)
class Run:
    """Neighbouring frames with the same likeliest class; CTC merges them into one character, or none."""

    first: int
    last: int
    "Inclusive."
    character: str
    "Empty for the blank."
    certainty: float
    "The mean over the frames of how likely that class is."

    @property
    def frames(self) -> str:
        """Their numbers as people write them."""
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Exhibit:
    """One misread sample, ready to be shown."""

    misread: Misreading
    picture: str
    "A PNG as a data URI."
    width: int
    height: int
    runs: Sequence[Run]
    alignment: Sequence[Pair]
    "Truth and reading, character by character."

    @property
    def edits(self) -> list[str]:
        """What went wrong, in words."""
        return [_edit(truth, reading) for truth, reading in self.alignment if truth != reading]


def exhibits_of(misread: Sequence[Misreading], split: str, client: DatasetClient) -> list[Exhibit]:
    """The `NUM_EXHIBITS` worst, worst first, with their pictures from the service."""
    worst = sorted(misread, key=lambda each: (-each.loss, each.index))[:NUM_EXHIBITS]
    alphabet = client.dataset.spec.alphabet
    samples = client.samples(split, [each.index for each in worst]) if worst else []
    return [_exhibit(each, sample.image, alphabet) for each, sample in zip(worst, samples, strict=True)]


def runs_of(path: Sequence[int], certainties: Sequence[float], alphabet: str) -> list[Run]:
    """The frames of a path grouped as CTC merges them."""
    runs, first = [], 0
    for value, group in groupby(path):
        last = first + len(list(group)) - 1
        character = alphabet[value] if value < len(alphabet) else ""
        runs.append(Run(first, last, character, sum(certainties[first : last + 1]) / (last + 1 - first)))
        first = last + 1
    return runs


def _exhibit(misread: Misreading, image: NDArray[np.uint8], alphabet: str) -> Exhibit:
    return Exhibit(
        misread=misread,
        picture=_data_uri(image),
        width=image.shape[1],
        height=image.shape[0],
        runs=runs_of(misread.path, misread.certainties, alphabet),
        alignment=align(misread.truth, misread.reading),
    )


def _data_uri(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _edit(truth: str, reading: str) -> str:
    if not reading:
        return f"{truth} missed"
    return f"{truth} read as {reading}" if truth else f"{reading} added"
