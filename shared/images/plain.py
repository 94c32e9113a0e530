"""A shorter way to the pixels of small pictures that have nothing special about them.

For a picture of 160x64 pixels a third as much time goes into the readers of headers that Pillow has in Python as into
its decoders in C. Here the few headers of a plain file are checked in one pass and the decoder is called directly.

Note: a file that is not exactly of the form below, or that its decoder does not finish, gives None: then the ordinary
way says what is wrong with it, or takes it. So this changes no pixel and no error.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import _imaging

_MAX_PIXELS, _MAX_BYTES = 2**20, 2**22  # In a larger picture the headers cost nothing worth saving.
_PNG_FRONT = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_PNG_HEADER = struct.Struct(">II5sI")  # Width, height, form; checksum.
_PNG_MODES = {b"\x08\x02\x00\x00\x00": "RGB", b"\x08\x00\x00\x00\x00": "L"}
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_CHUNKS, _PNG_CHUNK_FRAME = 33, 12
_JPEG_FRONT, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_SEGMENT = struct.Struct(">HH")  # Marker, length.
_JPEG_FRAME = struct.Struct(">BHHB")  # Bits, height, width, components.
_JPEG_MODES = {3: "RGB", 1: "L"}
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
    parts, place, end = [], _PNG_CHUNKS, len(data) - len(_PNG_END)
    while place < end:
        size = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] != b"IDAT":
            return None
        parts.append(data[place + 8 : place + 8 + size])
        place += size + _PNG_CHUNK_FRAME
    if place != end:
        return None
    return _pixels(_imaging.zip_decoder, (0,), mode, (width, height), b"".join(parts))


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
    if frame is None or place + 2 + size > len(data) or frame[0] != 8 or frame[3] not in _JPEG_MODES:
        return None
    return _pixels(_imaging.jpeg_decoder, ("",), _JPEG_MODES[frame[3]], (frame[2], frame[1]), data)


def _is_plain(data: bytes, marker: int, place: int, size: int) -> bool:
    """Whether a segment says nothing but what the decoder itself reads."""
    if marker == _DQT:
        tables = data[place + 4 : place + 2 + size : _TABLE_BYTES]
        return (size - 2) % _TABLE_BYTES == 0 and all(table < 16 for table in tables)
    if marker == _APP0:
        return size == _JFIF_BYTES and data.startswith(_JFIF, place + 4)
    return marker in (_DHT, _DRI) and size >= 2


def _pixels(
    make_decoder: Callable[..., Any], extra: tuple[object, ...], mode: str, size: tuple[int, int], data: bytes
) -> NDArray[np.uint8] | None:
    """What Pillow's decoder makes of `data`; None unless it finishes without an error."""
    width, height = size
    if not 0 < width * height <= _MAX_PIXELS:
        return None
    core, box = _imaging.new(mode, size), (0, 0, width, height)
    decoder = make_decoder(mode, mode, *extra)
    try:
        decoder.setimage(core, box)
        position, error = decoder.decode(data)
    except (ValueError, OSError, MemoryError):
        return None
    finally:
        decoder.cleanup()
    if position >= 0 or error:
        return None
    encoder = _imaging.raw_encoder(mode, mode)
    encoder.setimage(core, box)
    _, _, pixels = encoder.encode(width * height * len(mode))
    if mode == "L":
        pixels = np.frombuffer(pixels, np.uint8).repeat(3).tobytes()
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
