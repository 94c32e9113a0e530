"""Images to bytes and back, in each codec.

`make bench` prints what each costs: Zstandard less than raw, and a fifth of the bytes.
"""

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod

import numpy as np
import zstandard
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shared.errors import DataLoss
from shared.protocol.batch import split_images
from shared.protocol.codec import Codec

# Longer matches than the level's own, found through a table that stays in the processor's first cache: 25 us an image
# to compress and 10.8 to decompress, against 33 and 11.7 with level -1 as it comes, for 11% more bytes.
_ZSTD = zstandard.ZstdCompressionParameters.from_level(-3, min_match=7, hash_log=11)
# Making one of these costs as much as using it for an image; one serves one thread.
_LOCAL = threading.local()
# Pillow's words for a picture that claims to be huge; the second is raised where warnings are errors.
_BOMBS = Image.DecompressionBombError, Image.DecompressionBombWarning


def encode(image: NDArray[np.uint8], codec: Codec) -> bytes:
    """One image, uint8 [height, width, 3], as `codec` stores it."""
    return _FORMATS[codec].encode(image)


def decode(records: Sequence[bytes | memoryview], codec: Codec, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 [n, *shape] from n encoded images; raises `DataLoss` when one of them is not an image of that shape.

    Zstandard is decoded without the interpreter's lock, so that other threads run meanwhile.
    """
    images = np.empty((len(records), *shape), np.uint8)
    joined, size, decode_into = images.reshape(-1).data, prod(shape), _FORMATS[codec].decode_into
    number = 0
    try:
        for number, record in enumerate(records):
            decode_into(record, shape, joined[number * size : (number + 1) * size])
    except (OSError, ValueError, SyntaxError, zstandard.ZstdError, *_BOMBS) as error:
        # Pillow's words for no image at all hold an address in memory.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise DataLoss(f"record {number} of {len(records)} is not a {codec.value} image: {reason}") from error
    return images


def decode_joined(
    images: memoryview, sizes: Sequence[int], codec: Codec, shape: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """The same from n encoded images that lie one after the other, of `sizes` bytes: quicker for Zstandard."""
    records = split_images(images, sizes)
    if codec is Codec.ZSTD:
        with suppress(zstandard.ZstdError):
            return _decode_frames(images, records, shape)
    return decode(records, codec, shape)


_Bytes = bytes | memoryview
_Shape = tuple[int, int, int]


@dataclass(frozen=True)
class _Format:
    """How one codec encodes an image, uint8 [height, width, 3], and writes the pixels of a record into a buffer."""

    encode: Callable[[NDArray[np.uint8]], bytes]
    decode_into: Callable[[_Bytes, _Shape, memoryview], None]
    "Raises `OSError`, `ValueError`, `SyntaxError` or `ZstdError` for a record that is no image of that shape."


def _raw_bytes(image: NDArray[np.uint8]) -> bytes:
    return image.tobytes()


def _read_raw(record: _Bytes, _: _Shape, pixels: memoryview) -> None:
    if len(record) != len(pixels):
        raise ValueError(f"expected {len(pixels)} bytes, got {len(record)}")
    pixels[:] = record


def _zstd_bytes(image: NDArray[np.uint8]) -> bytes:
    return _compressor().compress(np.ascontiguousarray(image).data)


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_LOCAL, "compressor"):
        _LOCAL.compressor = zstandard.ZstdCompressor(compression_params=_ZSTD)
    compressor: zstandard.ZstdCompressor = _LOCAL.compressor
    return compressor


def _read_zstd(record: _Bytes, _: _Shape, pixels: memoryview) -> None:
    """Straight into the buffer, whatever size the frame claims: a few bytes could ask for gigabytes."""
    reader = _decompressor().stream_reader(record)
    if (size := reader.readinto(pixels)) != len(pixels) or reader.read(1):
        raise ValueError(f"expected {len(pixels)} bytes, got {size if size < len(pixels) else 'more'}")


def _decode_frames(images: memoryview, records: Sequence[memoryview], shape: _Shape) -> NDArray[np.uint8]:
    """All frames in one call; raises `ZstdError` unless each says that it has the pixels of one image, and has them."""
    pixels = np.empty((len(records), *shape), np.uint8)
    if any(zstandard.frame_content_size(record) != prod(shape) for record in records):
        raise zstandard.ZstdError("frames of other sizes")
    reader = _decompressor().stream_reader(images, read_across_frames=True)
    if reader.readinto(pixels.reshape(-1).data) != pixels.nbytes:
        raise zstandard.ZstdError("a frame is cut off")
    return pixels


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_LOCAL, "decompressor"):
        _LOCAL.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _LOCAL.decompressor
    return decompressor


def _png_bytes(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def _read_png(record: _Bytes, shape: _Shape, pixels: memoryview) -> None:
    with Image.open(io.BytesIO(record), formats=["png"]) as image:
        if (image.height, image.width) != shape[:2]:
            raise ValueError(f"expected {shape[1]}x{shape[0]} pixels, got {image.width}x{image.height}")
        pixels[:] = image.convert("RGB").tobytes()


_FORMATS: Mapping[Codec, _Format] = {
    Codec.RAW: _Format(_raw_bytes, _read_raw),
    Codec.ZSTD: _Format(_zstd_bytes, _read_zstd),
    Codec.PNG: _Format(_png_bytes, _read_png),
}
