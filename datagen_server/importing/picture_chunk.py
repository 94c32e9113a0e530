"""What workers do with pictures: chunks of files go out, their pixels and digests come back.

As in rendering, workers see no file system: the one process that reads the sources sends them the files.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from datagen_server.shards.record import (
    DIGEST_MODULUS,
    HEADER_BYTES,
    header_of,
    max_payload_bytes,
    record_key,
    sample_digest,
)
from datagen_server.shards.render_chunk import Rendered
from shared.dataset.fit import Fit
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.images.decode import Colour, PictureError, decode_picture
from shared.images.fit import fit_picture
from shared.protocol.batch import label_of
from shared.protocol.codec import Codec, decode, encode

MAX_KEPT_BYTES = 2**18
"""Raw pixels that are kept until the set's size is known. Larger pictures are read and decoded a second time: keeping
them would take more room than they take as files."""


@dataclass(frozen=True)
class Examined:
    """What is in one file."""

    problem: str = ""
    "The value of a `PictureProblem`; empty for a picture."
    detail: str = ""
    content: bytes = b""
    "16 bytes that equal pictures share, and no others: of width, height and pixels."
    width: int = 0
    height: int = 0
    payload: bytes = b""
    "The encoded pixels; empty for a large picture."


def examine_chunk(files: Sequence[bytes], ground: Colour, codec: Codec) -> list[Examined]:
    """Decodes each file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_examine(file, ground, codec) for file in files]


def content_of(image: NDArray[np.uint8]) -> bytes:
    """The digest of a picture, uint8 [height, width, 3]."""
    height, width, _ = image.shape
    return xxhash.xxh3_128_digest(np.ascontiguousarray(image).data, seed=width << 32 | height)


@dataclass(frozen=True)
class Piece:
    """One picture of a chunk that becomes records."""

    index: int
    label: str
    content: bytes
    "What `content_of` its pixels must give."
    size: tuple[int, int] | None
    "Width and height of what is in `data`; None: it is a whole file."
    data: bytes


@dataclass(frozen=True)
class PieceChunk:
    """Pictures of one split that become records together."""

    spec: DatasetSpec
    fit: Fit
    fingerprint: str
    codec: Codec
    split: str
    pieces: tuple[Piece, ...]


def write_chunk(chunk: PieceChunk) -> Rendered:
    """The records of a chunk; raises `DataLoss` for a picture that is not what it was."""
    spec, codec = chunk.spec, chunk.codec
    key = record_key(chunk.fingerprint, chunk.split)
    joined = np.empty(len(chunk.pieces) * (HEADER_BYTES + max_payload_bytes(spec)), np.uint8)
    view, ends, digest = joined.data, [0], 0
    for piece in chunk.pieces:
        image = pixels_of(piece, chunk.fit, codec)
        fitted = fit_picture(image, spec.width, spec.height, chunk.fit)
        kept = piece.size == (spec.width, spec.height)
        payload = piece.data if kept else encode(fitted, codec)
        label = label_of(piece.label, spec.alphabet, spec.max_length)
        start, end = ends[-1], ends[-1] + HEADER_BYTES + len(payload)
        view[start : start + HEADER_BYTES] = header_of(key, piece.index, codec, label, payload)
        view[start + HEADER_BYTES : end] = payload
        ends.append(end)
        digest += sample_digest(chunk.split, piece.index, label, fitted)
    return Rendered(joined[: ends[-1]], tuple(ends), digest % DIGEST_MODULUS)


def pixels_of(piece: Piece, fit: Fit, codec: Codec) -> NDArray[np.uint8]:
    """uint8 [height, width, 3], before it is fitted; raises `DataLoss`."""
    if piece.size is None:
        try:
            image = decode_picture(piece.data, fit.ground)
        except PictureError as error:
            raise DataLoss(f"a picture has changed: it {error}") from error
        if content_of(image) != piece.content:
            raise DataLoss("a picture decodes to other pixels than before")
        return image
    width, height = piece.size
    (stored,) = list(decode([piece.data], codec, (height, width, 3)))
    return np.asarray(stored, np.uint8)


def _examine(file: bytes, ground: Colour, codec: Codec) -> Examined:
    try:
        image = decode_picture(file, ground)
    except PictureError as error:
        return Examined(error.problem.value, str(error))
    height, width, _ = image.shape
    payload = encode(image, codec) if image.nbytes <= MAX_KEPT_BYTES else b""
    return Examined("", "", content_of(image), width, height, payload)
