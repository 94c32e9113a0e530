"""Reads the text of anybody's pictures with a trained network: what `load` returns, and what `predict` uses.

Needs MindSpore only for other devices than the CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.dataset.fit import Fit
from shared.images.decode import PictureError, read_picture
from shared.images.fit import fit_picture
from shared.recogniser.ctc.ctc_decoding import character_confidences, decode

BATCH_SIZE = 64
"Pictures that go through the network at once."


class ImageNetwork(Protocol):
    """A network that takes images of one size."""

    @property
    def alphabet(self) -> str:
        """Class i is the i-th character."""

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height)."""

    @property
    def fit(self) -> Fit:
        """How pictures of another size are brought to this one."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 [frames, n, classes] for uint8 [n, height, width, 3], n in 1..BATCH_SIZE."""


@dataclass(frozen=True)
class Reading:
    """What the network predicts for one picture."""

    text: str
    "Empty when it finds no character."
    confidence: float
    "In 0..1: how probable this text is; of an empty one, that there is no character."
    character_confidences: tuple[float, ...]
    "In 0..1, one for each character."


class ImageReader:
    """reader = load("run")
    reader.read("x.png")                  "7391"
    reader.predict([picture, picture])    readings with confidences
    """

    def __init__(self, network: ImageNetwork) -> None:
        self._network = network

    @property
    def alphabet(self) -> str:
        """The characters that the network knows."""
        return self._network.alphabet

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) that pictures are fitted to."""
        return self._network.image_size

    def read(self, picture: str | Path | NDArray[np.uint8]) -> str:
        """The text of one picture: a PNG, JPEG, WebP, BMP or GIF file, or uint8 [any, any, 3], RGB.

        Raises `UsageError`, one line that begins with the file's name, for a file that cannot be used.
        """
        image = picture if isinstance(picture, np.ndarray) else self.open(Path(picture))
        return self.predict([image])[0].text

    def open(self, file: Path) -> NDArray[np.uint8]:
        """The pixels of a picture file, uint8 [any, any, 3]; raises as `read` does."""
        try:
            return read_picture(file, self._network.fit.ground)
        except PictureError as error:
            raise PictureError(error.problem, f"{printable(file)} {error}") from error

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        """A reading for each image uint8 [any, any, 3], RGB."""
        readings: list[Reading] = []
        for first in range(0, len(images), BATCH_SIZE):
            readings += self._predict_batch(images[first : first + BATCH_SIZE])
        return readings

    def _predict_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        width, height = self.image_size
        fitted = np.stack([fit_picture(image, width, height, self._network.fit) for image in images])
        batch = decode(self._network.logits(fitted), self.alphabet)
        characters = character_confidences(batch, blank=len(self.alphabet))
        return list(map(Reading, batch.texts, batch.confidences.tolist(), characters))


def printable(file: Path) -> str:
    """The name as it can be printed, whatever bytes it is made of."""
    name = str(file)
    return name if name.isprintable() else ascii(name)
