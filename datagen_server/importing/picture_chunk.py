"""What workers do with pictures: chunks of files go out, their pixels and digests come back.

As in rendering, workers see no file system: the one process that reads the sources sends them the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from datagen_server.shards.render_chunk import EncodedSample, RecordTarget, Rendered, pack_records
from shared.dataset.fit import Fit
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.images.decode import Colour, PictureError, decode_picture, decode_quietly, quiet_pillow
from shared.images.fit import fit_picture
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode

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
    with quiet_pillow():
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
    """Pictures that become records together."""

    target: RecordTarget
    pieces: tuple[Piece, ...]


def write_chunk(chunk: PieceChunk) -> Rendered:
    """The records of a chunk; raises `DataLoss` for a picture that is not what it was."""
    target = chunk.target
    return pack_records(target, (_encoded(piece, target) for piece in chunk.pieces), len(chunk.pieces))


def _encoded(piece: Piece, target: RecordTarget) -> EncodedSample:
    spec, fit = target.spec, fit_of(target.spec)
    image = fit_picture(_pixels_of(piece, fit, target.codec), spec.width, spec.height, fit)
    is_encoded = piece.size == (spec.width, spec.height)
    return piece.index, piece.label, image, piece.data if is_encoded else encode(image, target.codec)


def fit_of(spec: DatasetSpec) -> Fit:
    """How the pictures of an imported data set were fitted."""
    return spec.fit or Fit()


def _pixels_of(piece: Piece, fit: Fit, codec: Codec) -> NDArray[np.uint8]:
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
        image = decode_quietly(file, ground)
    except PictureError as error:
        return Examined(error.problem.value, str(error))
    height, width, _ = image.shape
    payload = encode(image, codec) if image.nbytes <= MAX_KEPT_BYTES else b""
    return Examined("", "", content_of(image), width, height, payload)
