"""A shorter way to the pixels of small pictures that have nothing special about them.

The few headers of a plain file are checked here in one pass; then kornia-rs decodes it, by the rules that Pillow
follows and in half the time: libjpeg-turbo with no reader of headers in Python before it, and a faster decoder of PNG.

Note: a file that is not exactly of the form below, or in which the decoder finds a fault, gives None: then the ordinary
way says what is wrong with it, or takes it. So this changes no pixel and no error. One kind of damage is not found: a
PNG whose chunks have the right checksums though the stream within them has not; no accident makes such a file.
"""

import struct
import zlib

import kornia_rs
import numpy as np
from numpy.typing import NDArray

_MAX_PIXELS, _MAX_BYTES = 2**20, 2**22  # In a larger picture the headers cost nothing worth saving.
_PNG_FRONT = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_PNG_HEADER = struct.Struct(">II5sI")  # Width, height, form; checksum.
_PNG_MODES = {b"\x08\x02\x00\x00\x00": "rgb", b"\x08\x00\x00\x00\x00": "mono"}
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_CHUNKS, _PNG_CHUNK_FRAME = 33, 12
_JPEG_FRONT, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_SEGMENT = struct.Struct(">HH")  # Marker, length.
_JPEG_FRAME = struct.Struct(">BHHB")  # Bits, height, width, components.
_JPEG_COMPONENTS = 1, 3  # Grey, or what becomes RGB.
_APP0, _DQT, _DHT, _DRI, _SOF0, _SOS = 0xFFE0, 0xFFDB, 0xFFC4, 0xFFDD, 0xFFC0, 0xFFDA
_JFIF = b"JFIF\x00\x01"
_JFIF_BYTES, _TABLE_BYTES = 16, 65


def decode_plain(data: bytes) -> NDArray[np.uint8] | None:
    """uint8 [height, width, 3], RGB, read-only, of a PNG or JPEG file of the plainest kind; None for any other.

    PNG: 8 bits, RGB or grey, not interlaced, no chunks but the picture. JPEG: baseline, RGB or grey, no notes but JFIF.
    """
    if len(data) > _MAX_BYTES:
        return None
    if data.startswith(_PNG_FRONT):
        return _decode_png(data)
    if data.startswith(_JPEG_FRONT) and data.endswith(_JPEG_END):
        return _decode_jpeg(data)
    return None


def _decode_png(data: bytes) -> NDArray[np.uint8] | None:
    if len(data) < _PNG_CHUNKS or not data.endswith(_PNG_END):
        return None
    width, height, form, checksum = _PNG_HEADER.unpack_from(data, len(_PNG_FRONT))
    mode = _PNG_MODES.get(form)
    if mode is None or zlib.crc32(data[12:29]) != checksum:
        return None
    place, end = _PNG_CHUNKS, len(data) - len(_PNG_END)
    while place < end:
        if data[place + 4 : place + 8] != b"IDAT":
            return None
        place += int.from_bytes(data[place : place + 4], "big") + _PNG_CHUNK_FRAME
    if place != end or not 0 < width * height <= _MAX_PIXELS:
        return None
    try:
        pixels = kornia_rs.io.decode_image_png_u8(data, (height, width), mode)
    except Exception:  # It has no error of its own.
        return None
    return _read_only(pixels if mode == "rgb" else pixels.repeat(3, axis=2))


def _decode_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    place, size, frame = len(_JPEG_FRONT), 0, None
    while place + 4 <= len(data):
        marker, size = _JPEG_SEGMENT.unpack_from(data, place)
        if marker == _SOS:
            break
        if marker == _SOF0 and frame is None and size >= 2 + _JPEG_FRAME.size:
            frame = _JPEG_FRAME.unpack_from(data, place + 4)
            if size != 8 + 3 * frame[3]:
                return None
        elif not _is_plain(data, marker, place, size):
            return None
        place += 2 + size
    else:
        return None
    if frame is None or place + 2 + size > len(data) or frame[0] != 8 or frame[3] not in _JPEG_COMPONENTS:
        return None
    if not 0 < frame[1] * frame[2] <= _MAX_PIXELS:
        return None
    try:
        return _read_only(kornia_rs.io.decode_image_jpegturbo(data, "rgb"))
    except Exception:  # It has no error of its own.
        return None


def _is_plain(data: bytes, marker: int, place: int, size: int) -> bool:
    """Whether a segment says nothing but what the decoder itself reads."""
    if marker == _DQT:
        tables = data[place + 4 : place + 2 + size : _TABLE_BYTES]
        return (size - 2) % _TABLE_BYTES == 0 and all(table < 16 for table in tables)
    if marker == _APP0:
        return size == _JFIF_BYTES and data.startswith(_JFIF, place + 4)
    return marker in (_DHT, _DRI) and size >= 2


def _read_only(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels.flags.writeable = False
    return pixels
