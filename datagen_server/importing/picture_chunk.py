"""What workers do with pictures: chunks of files go out, their pixels and digests come back.

A file is its bytes, read by the one process that lists the sources; or, where that is a plain file on the worker's own
machine, a path that the worker reads, which spares sending the bytes. There the worker also keeps the pixels itself:
several append to one file, and the system gives each its own place in it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from datagen_server.importing.picture_rows import DIGEST, PICTURE, PROBLEMS, Rows
from datagen_server.importing.sources.file_tree import read_file
from datagen_server.shards.pack_records import EncodedSample, RecordTarget, Rendered, pack_records
from datagen_server.shards.record import content_of
from shared.dataset.fit import Fit
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.images.decode import Colour, PictureError, PictureProblem, decode_picture, decode_quietly, quiet_pillow
from shared.images.fit import fit_picture
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode
from shared.system.atomic_file import write_error

MAX_KEPT_BYTES = 2**18
"""Raw pixels that are kept until the set's size is known. Larger pictures are read and decoded a second time: keeping
them would take more room than they take as files."""
CHUNK_BYTES = 2**20
"How many bytes of files, about, make a task that is sent."
READ_BYTES = 4 * CHUNK_BYTES
"After how many bytes a worker leaves the rest of the files that it reads itself."
_NO_CONTENT = bytes(DIGEST.itemsize)


@dataclass(frozen=True)
class Examined:
    """What is in the files of a chunk. Arrays, because they travel between processes without being pickled."""

    rows: Rows
    "One for each file that could be read, in their order. Offsets are those in `payloads`, or in the file of pixels."
    payloads: NDArray[np.uint8] | None
    "The encoded pixels of all pictures that are not large, joined; None where the worker has kept them."
    details: Mapping[int, str]
    "What a person should know of a problem, by row."
    unreadable: Mapping[int, tuple[PictureProblem, str]]
    "Why a file could not be read, by its place in the chunk."

    @property
    def num_files(self) -> int:
        """How many files of the chunk this tells of."""
        return len(self.rows) + len(self.unreadable)


def digest_of_file(data: bytes) -> bytes:
    """16 bytes by which a file is known again."""
    return xxhash.xxh3_128_digest(data)


def examine_chunk(
    files: Sequence[bytes | str], ground: Colour, codec: Codec, pixels_file: Path | None = None
) -> Examined:
    """Decodes files, given by their bytes or their paths, from the first on, until it had `READ_BYTES`.

    pixels_file: to which encoded pixels are appended; None: they come back. Raises `StreamingError` for a full disk.
    """
    found: list[tuple[bytes, bytes, bytes, int, int, int]] = []
    details: dict[int, str] = {}
    unreadable: dict[int, tuple[PictureProblem, str]] = {}
    num_bytes = 0
    with quiet_pillow():
        for place, file in enumerate(files):
            if num_bytes >= READ_BYTES:
                break
            try:
                data = file if isinstance(file, bytes) else read_file(file)
            except PictureError as error:
                unreadable[place] = error.problem, str(error)
                continue
            num_bytes += len(data)
            try:
                image = decode_quietly(data, ground)
            except PictureError as error:
                details[len(found)] = str(error)
                found.append((b"", digest_of_file(data), _NO_CONTENT, 0, 0, PROBLEMS.index(error.problem)))
                continue
            payload = encode(image, codec) if image.nbytes <= MAX_KEPT_BYTES else b""
            found.append((payload, digest_of_file(data), content_of(image), image.shape[1], image.shape[0], 0))
    payloads, digests, contents, widths, heights, problems = zip(*found, strict=True) if found else ((),) * 6
    rows = np.zeros(len(found), PICTURE)
    rows["file"], rows["content"] = (np.frombuffer(b"".join(column), DIGEST) for column in (digests, contents))
    rows["width"], rows["height"], rows["problem"] = widths, heights, problems
    rows["size"] = sizes = np.array([len(payload) for payload in payloads])
    rows["offset"] = np.cumsum(sizes) - sizes
    rows["checksum"] = [xxhash.xxh3_64_intdigest(payload) for payload in payloads]
    if pixels_file is None:
        return Examined(rows, np.frombuffer(b"".join(payloads), np.uint8), details, unreadable)
    rows["offset"] += np.uint64(_append(pixels_file, payloads))
    return Examined(rows, None, details, unreadable)


def _append(path: Path, payloads: Sequence[bytes]) -> int:
    """Appends all of them to a file, and returns where they begin."""
    size = sum(map(len, payloads))
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            # What lacks its end is left there, and written again: another may have appended meanwhile.
            while os.writev(file, payloads) < size:
                pass
            return os.lseek(file, 0, os.SEEK_CUR) - size
        finally:
            os.close(file)
    except OSError as error:
        raise write_error(path.parent, error) from error


class Piece(NamedTuple):
    """One picture of a chunk that becomes records. A tuple, because there are millions."""

    number: int
    "Its index within the split."
    label: str
    content: bytes
    "What `content_of` its pixels gives."
    size: tuple[int, int] | None
    "Width and height of what is in `data`; None: it is a whole file."
    data: bytes


@dataclass(frozen=True)
class PieceChunk:
    """Pictures that become records together."""

    target: RecordTarget
    pieces: Sequence[Piece]


def write_chunk(chunk: PieceChunk) -> Rendered:
    """The records of a chunk; raises `DataLoss` for a picture that is not what it was."""
    return pack_records(chunk.target, (_encoded(piece, chunk.target) for piece in chunk.pieces), len(chunk.pieces))


def _encoded(piece: Piece, target: RecordTarget) -> EncodedSample:
    spec, codec = target.spec, target.codec
    if piece.size == (spec.width, spec.height):
        return piece.number, piece.label, piece.content, piece.data
    fit = fit_of(spec)
    image = fit_picture(_pixels_of(piece, fit, codec), spec.width, spec.height, fit)
    return piece.number, piece.label, content_of(image), encode(image, codec)


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
    (stored,) = decode([piece.data], codec, (height, width, 3))
    return np.asarray(stored, np.uint8)
