"""How images travel and rest: raw, Zstandard, or PNG; each image on its own, so any record can be sent as it is stored.

`make bench` prints what each costs: Zstandard as much as raw on one machine, for a fifth of the bytes.
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

# Against level 3: 10% more bytes, for two thirds of the time to compress and 85% of the time to decompress.
_ZSTD_LEVEL = -1
# Making a compressor costs as much as compressing an image; one serves one thread.
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


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_LOCAL, "compressor"):
        _LOCAL.compressor = zstandard.ZstdCompressor(_ZSTD_LEVEL)
    compressor: zstandard.ZstdCompressor = _LOCAL.compressor
    return compressor


def decode(records: Sequence[bytes | memoryview], codec: Codec, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 [n, *shape] from n encoded images; raises `DataLoss` when one of them is not an image of that shape."""
    images = np.empty((len(records), *shape), np.uint8)
    joined, size = images.reshape(-1).data, prod(shape)
    decompressor = zstandard.ZstdDecompressor()
    for number, record in enumerate(records):
        try:
            joined[number * size : (number + 1) * size] = _pixels(record, codec, shape, size, decompressor)
        except (OSError, ValueError, SyntaxError, zstandard.ZstdError, *_BOMBS) as error:
            raise DataLoss(f"record {number} of {len(records)} is not a {codec.value} image: {error}") from error
    return images


def _pixels(
    record: bytes | memoryview,
    codec: Codec,
    shape: tuple[int, int, int],
    size: int,
    decompressor: zstandard.ZstdDecompressor,
) -> bytes | memoryview:
    """The `size` bytes of the image in `record`."""
    if codec is Codec.PNG:
        with Image.open(io.BytesIO(record), formats=["png"]) as picture:
            if (picture.height, picture.width) != shape[:2]:
                raise ValueError(f"expected {shape[1]}x{shape[0]} pixels, got {picture.width}x{picture.height}")
            return picture.convert("RGB").tobytes()
    if codec is Codec.ZSTD:
        # A frame is believed about its size before the limit is: a few bytes could ask for gigabytes.
        if zstandard.frame_content_size(record) > size:
            raise ValueError(f"expected {size} bytes, got more")
        record = decompressor.decompress(record, max_output_size=size)
    if len(record) != size:
        raise ValueError(f"expected {size} bytes, got {len(record)}")
    return record
