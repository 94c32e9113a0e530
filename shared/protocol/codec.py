"""How images travel and rest: raw, Zstandard, or PNG; each image on its own, so any record can be sent as it is stored.

To add a codec: a value in the proto, a member of `Codec` with the same name, and its two functions in `_FORMATS` of
`image_codec.py`. They are apart because a parser needs the names alone, without NumPy and Pillow.
"""

from enum import Enum


class Codec(Enum):
    """The encodings of an image, the cheapest first; each member's value is its name on the command line."""

    RAW = "raw"
    ZSTD = "zstd"
    PNG = "png"

    # Members are looked up once a sample, and Enum's own hash runs in Python.
    __hash__ = object.__hash__
