"""Predictions one by one: the image, its truth, the prediction, and which frame emitted what."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluator.alignment import Pair, align
from evaluator.scores import SamplePrediction
from shared.client import DatasetClient

NUM_ERRORS = 24
_LETTER_SHARE = 8.5 / 160
"Of the image's width: what a letter below it takes at the page's size of text."


@dataclass(frozen=True)
class Run:
    """Neighbouring frames with the same likeliest class; CTC merges them into one character, or none."""

    first: int
    last: int
    "Inclusive."
    character: str
    "Empty for the blank."
    confidence: float
    "The mean over the frames of the probability of that class."

    @property
    def frames(self) -> str:
        """Their numbers, such as "3" or "3 to 7"."""
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Example:
    """One prediction, ready to be shown."""

    prediction: SamplePrediction
    image: str
    "A PNG as a data URI."
    width: int
    height: int
    runs: Sequence[Run]
    alignment: Sequence[Pair]
    "Truth and prediction, character by character."

    @property
    def labels(self) -> list[tuple[str, float]]:
        """Each emitted character and where its middle stands below the image, in pixels.

        That is the middle of its frames, but neighbours are moved apart until each can be read.
        """
        emitted = [run for run in self.runs if run.character]
        step, apart = self.width / len(self.prediction.path), _LETTER_SHARE * self.width
        apart = min(apart, self.width / max(1, len(emitted)))
        places: list[float] = []
        for run in emitted:
            middle = (run.first + run.last + 1) / 2 * step
            places.append(max(middle, places[-1] + apart) if places else middle)
        end = self.width - apart / 2
        for number in reversed(range(len(places))):
            places[number] = min(places[number], end)
            end = places[number] - apart
        return [(run.character, round(place, 2)) for run, place in zip(emitted, places, strict=True)]

    @property
    def edits(self) -> list[str]:
        """The wrong characters, in words."""
        return [_edit(truth, prediction) for truth, prediction in self.alignment if truth != prediction]


def worst_errors(errors: Sequence[SamplePrediction]) -> list[SamplePrediction]:
    """The `NUM_ERRORS` with the highest CTC loss, highest first: their truth was least probable."""
    return sorted(errors, key=lambda each: (-each.loss, each.index))[:NUM_ERRORS]


def examples_of(
    predictions: Sequence[SamplePrediction], split: str, alphabet: str, client: DatasetClient
) -> list[Example]:
    """With their images from the service; alphabet: the network's."""
    samples = client.samples(split, [each.index for each in predictions]) if predictions else []
    return [_example(each, sample.image, alphabet) for each, sample in zip(predictions, samples, strict=True)]


def runs_of(path: Sequence[int], frame_confidences: Sequence[float], alphabet: str) -> list[Run]:
    """The frames of a path grouped as CTC merges them."""
    runs, first = [], 0
    for value, group in groupby(path):
        last = first + len(list(group)) - 1
        character = alphabet[value] if value < len(alphabet) else ""
        confidence = sum(frame_confidences[first : last + 1]) / (last + 1 - first)
        runs.append(Run(first, last, character, confidence))
        first = last + 1
    return runs


def _example(prediction: SamplePrediction, image: NDArray[np.uint8], alphabet: str) -> Example:
    return Example(
        prediction=prediction,
        image=_data_uri(image),
        width=image.shape[1],
        height=image.shape[0],
        runs=runs_of(prediction.path, prediction.frame_confidences, alphabet),
        alignment=align(prediction.truth, prediction.prediction),
    )


def _data_uri(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _edit(truth: str, prediction: str) -> str:
    if not prediction:
        return f"{truth} deleted"
    return f"{truth} predicted as {prediction}" if truth else f"{prediction} inserted"
