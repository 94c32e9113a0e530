"""Images to bytes and back, in each codec.

`make bench` prints what each costs: Zstandard less than raw, and a fifth of the bytes.
"""

import io
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import zstandard
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shared.errors import DataLoss
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
    joined, size = images.reshape(-1).data, prod(shape)
    number = 0
    try:
        for pixels in _FORMATS[codec].decode(records, shape):
            if len(pixels) != size:
                raise ValueError(f"expected {size} bytes, got {len(pixels)}")
            joined[number * size : (number + 1) * size] = pixels
            number += 1
    except (OSError, ValueError, SyntaxError, *_BOMBS) as error:
        # Pillow's words for no image at all hold an address in memory.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise DataLoss(f"record {number} of {len(records)} is not a {codec.value} image: {reason}") from error
    return images


_Bytes = bytes | memoryview
_Shape = tuple[int, int, int]


@dataclass(frozen=True)
class _Format:
    """How one codec encodes an image, uint8 [height, width, 3], and gives the raw pixels of each of many records."""

    encode: Callable[[NDArray[np.uint8]], bytes]
    decode: Callable[[Sequence[_Bytes], _Shape], Iterable[_Bytes]]
    "Raises `OSError`, `ValueError`, `SyntaxError` or `DataLoss` for a record that is no image of that shape."


def _raw_bytes(image: NDArray[np.uint8]) -> bytes:
    return image.tobytes()


def _raw_pixels(records: Sequence[_Bytes], _: _Shape) -> Iterable[_Bytes]:
    return records


def _zstd_bytes(image: NDArray[np.uint8]) -> bytes:
    return _compressor().compress(np.ascontiguousarray(image).data)


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_LOCAL, "compressor"):
        _LOCAL.compressor = zstandard.ZstdCompressor(compression_params=_ZSTD)
    compressor: zstandard.ZstdCompressor = _LOCAL.compressor
    return compressor


def _zstd_pixels(records: Sequence[_Bytes], shape: _Shape) -> list[memoryview]:
    """All in one call: the interpreter's lock taken again for each would cost as much as it frees."""
    size = prod(shape)
    if not records:
        return []  # The library divides by their number.
    if not hasattr(_LOCAL, "decompressor"):
        _LOCAL.decompressor = zstandard.ZstdDecompressor()
    # Told their sizes, it does not believe the frames: a few bytes could ask for gigabytes.
    sizes = np.full(len(records), size, np.uint64)
    try:
        frames = _LOCAL.decompressor.multi_decompress_to_buffer(list(records), decompressed_sizes=sizes.data)
    except (ValueError, zstandard.ZstdError) as error:
        raise DataLoss(f"not all of {len(records)} records are zstd images of {size} bytes: {error}") from error
    return [memoryview(frames[number]) for number in range(len(frames))]


def _png_bytes(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def _png_pixels(records: Sequence[_Bytes], shape: _Shape) -> Iterable[bytes]:
    for record in records:
        with Image.open(io.BytesIO(record), formats=["png"]) as image:
            if (image.height, image.width) != shape[:2]:
                raise ValueError(f"expected {shape[1]}x{shape[0]} pixels, got {image.width}x{image.height}")
            yield image.convert("RGB").tobytes()


_FORMATS: Mapping[Codec, _Format] = {
    Codec.RAW: _Format(_raw_bytes, _raw_pixels),
    Codec.ZSTD: _Format(_zstd_bytes, _zstd_pixels),
    Codec.PNG: _Format(_png_bytes, _png_pixels),
}
