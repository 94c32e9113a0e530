"""Samples as values: encoded `Records` on the server, a decoded `Batch` or `Sample` on the client."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.protocol.codec import Codec


@dataclass(frozen=True, eq=False)
class Records:
    """n encoded samples, ready to be sent."""

    codec: Codec
    payloads: Sequence[bytes | memoryview]
    "Joined, they are the n images in order; a raw payload may hold several images."
    image_sizes: NDArray[np.uint32]
    "[n] bytes of each image; [0] with `Codec.RAW`, where all have the same size."
    labels: NDArray[np.uint16]
    "[n, max_length], padded with the blank class."


@dataclass(frozen=True, eq=False)
class Batch:
    """n decoded samples with the step they belong to."""

    epoch: int
    step: int
    "Within the epoch."
    images: NDArray[np.uint8]
    "[n, height, width, 3], RGB. Never written to: it may be a view of the received message."
    labels: NDArray[np.uint16]
    "[n, max_length], padded with the blank class."
    indices: NDArray[np.uint64]
    "[n], each within its split."

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, eq=False)
class Sample:
    """One captcha to look at."""

    index: int
    "Within its split."
    text: str
    "The characters in the picture."
    image: NDArray[np.uint8]
    "[height, width, 3], RGB."


def split_images(joined: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    """The images that lie one after the other in `joined`; sizes: bytes of each."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [joined[start:end] for start, end in pairwise(ends)]


def text_of(label: NDArray[np.uint16], alphabet: str) -> str:
    """The characters of one label row; classes past the alphabet (the blank) are padding."""
    return "".join(alphabet[value] for value in label if value < len(alphabet))


def label_of(text: str, alphabet: str, max_length: int) -> NDArray[np.uint16]:
    """uint16 [max_length]: `text` as classes, padded with the blank class; the inverse of `text_of`."""
    return np.array(classes_of(text, alphabet, max_length), np.uint16)


def classes_of(text: str, alphabet: str, max_length: int) -> list[int]:
    """[max_length]: the same as plain numbers; raises `ValueError` for a text that is longer."""
    if len(text) > max_length:
        raise ValueError(f"a label of {len(text)} characters where at most {max_length} fit")
    return [*map(alphabet.index, text), *[len(alphabet)] * (max_length - len(text))]
