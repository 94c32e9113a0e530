"""What is known of picture files, as rows of an array: 61 bytes for each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.images.decode import PictureProblem

DIGEST = np.dtype("S16")
"""16 bytes. They sort as bytes do. NumPy takes zeros off the end of a single one: use `digest_at`."""
PICTURE = np.dtype(
    [
        ("file", DIGEST),
        ("content", DIGEST),  # Of width, height and pixels.
        ("width", "<u4"),
        ("height", "<u4"),
        ("offset", "<u8"),  # Where the encoded pixels begin in their file.
        ("size", "<u4"),  # How many bytes they have; 0 for a large picture.
        ("checksum", "<u8"),  # xxh3_64 of these bytes.
        ("problem", "u1"),  # 0: none; else its place in `PROBLEMS`.
    ]
)
Rows = NDArray[Any]
"[n] of `PICTURE`."
PROBLEMS = (None, *PictureProblem)


def digest_at(digests: NDArray[np.bytes_], number: int) -> bytes:
    """All 16 bytes of one digest."""
    return digests[number : number + 1].tobytes()
