"""How images travel and rest: raw, Zstandard, or PNG; each image on its own, so any record can be sent as it is stored.

`make bench` prints what each costs: Zstandard less than raw, and a fifth of the bytes.
"""

import io
import threading
from collections.abc import Sequence
from enum import Enum
from math import prod

import numpy as np
import zstandard
from numpy.typing import NDArray
from PIL import Image

from shared.errors import DataLoss

# Longer matches than the level's own, found through a table that stays in the processor's first cache: 25 us an image
# to compress and 10.8 to decompress, against 33 and 11.7 with level -1 as it comes, for 11% more bytes.
_ZSTD = zstandard.ZstdCompressionParameters.from_level(-3, min_match=7, hash_log=11)
# Making one of these costs as much as using it for an image; one serves one thread.
_LOCAL = threading.local()
# Pillow's words for a picture that claims to be huge; the second is raised where warnings are errors.
_BOMBS = Image.DecompressionBombError, Image.DecompressionBombWarning


class Codec(Enum):
    """The encodings of an image; each member's value is its name on the command line."""

    RAW = "raw"
    ZSTD = "zstd"
    PNG = "png"


def encode(image: NDArray[np.uint8], codec: Codec) -> bytes:
    """One image, uint8 [height, width, 3], as `codec` stores it."""
    if codec is Codec.RAW:
        return image.tobytes()
    if codec is Codec.ZSTD:
        return _compressor().compress(np.ascontiguousarray(image).data)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def decode(records: Sequence[bytes | memoryview], codec: Codec, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 [n, *shape] from n encoded images; raises `DataLoss` when one of them is not an image of that shape.

    Zstandard is decoded without the interpreter's lock, so that other threads run meanwhile.
    """
    images = np.empty((len(records), *shape), np.uint8)
    joined, size = images.reshape(-1).data, prod(shape)
    number, parts = 0, _decompressed(records, size) if codec is Codec.ZSTD else records
    try:
        for number, part in enumerate(parts):
            pixels = _png_pixels(part, shape) if codec is Codec.PNG else part
            if len(pixels) != size:
                raise ValueError(f"expected {size} bytes, got {len(pixels)}")
            joined[number * size : (number + 1) * size] = pixels
    except (OSError, ValueError, SyntaxError, *_BOMBS) as error:
        raise DataLoss(f"record {number} of {len(records)} is not a {codec.value} image: {error}") from error
    return images


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_LOCAL, "compressor"):
        _LOCAL.compressor = zstandard.ZstdCompressor(compression_params=_ZSTD)
    compressor: zstandard.ZstdCompressor = _LOCAL.compressor
    return compressor


def _decompressed(records: Sequence[bytes | memoryview], size: int) -> list[memoryview]:
    """The `size` bytes of each frame. All in one call: the lock taken again for each would cost as much as it frees."""
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


def _png_pixels(record: bytes | memoryview, shape: tuple[int, int, int]) -> bytes:
    with Image.open(io.BytesIO(record), formats=["png"]) as picture:
        if (picture.height, picture.width) != shape[:2]:
            raise ValueError(f"expected {shape[1]}x{shape[0]} pixels, got {picture.width}x{picture.height}")
        return picture.convert("RGB").tobytes()
