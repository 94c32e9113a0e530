"""One stored sample: a header, then the encoded image, which is sent as it is stored.

    checksum  uint64   xxh3_64 of the payload, seeded with xxh3_64 of the rest of the header, seeded with the record key
    index     uint64   within the split
    size      uint32   bytes of the payload
    codec     uint8    its number in the proto: 1 raw, 2 zstd, 3 png; then three zero bytes
    label     uint8 [16], or uint16 [32] where that is too small for the spec's classes or lengths; padded with the
              blank class to max_length, then with ones

All little-endian, 40 or 88 bytes. Note: the record key, made of fingerprint and split, is part of every checksum. A
record from elsewhere (another data set, another split, another index) is as damaged as one with a flipped bit.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from shared.dataset.spec import DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.messages import CODECS

_LABEL_OFFSET = 24
DIGEST_MODULUS = 2**128

_FRONT = struct.Struct("<QQIB")
_REST = struct.Struct("<QIB3x")
_CODEC_NUMBERS = {codec: int(number) for codec, number in CODECS.items()}


@dataclass(frozen=True)
class RecordLayout:
    """How labels are stored in the records of one data set."""

    label_dtype: np.dtype[Any]
    max_length: int
    "Places for a label."

    @property
    def header_bytes(self) -> int:
        """Size of a header."""
        return _LABEL_OFFSET + self._label_bytes

    @property
    def _label_bytes(self) -> int:
        return self.label_dtype.itemsize * self.max_length

    def stored(self, label: Sequence[int]) -> bytes:
        """The label [max_length of the spec] as bytes, not yet padded."""
        return bytes(label) if self.label_dtype.itemsize == 1 else np.array(label, self.label_dtype).tobytes()

    def header(self, key: int, index: int, codec: Codec, label: bytes, payload: bytes) -> bytes:
        """The header of a record; label: as `stored` gives it."""
        rest = _REST.pack(index, len(payload), _CODEC_NUMBERS[codec]) + label.ljust(self._label_bytes, b"\xff")
        return _checksum(key, rest, payload).to_bytes(8, "little") + rest

    def labels(self, headers: NDArray[np.uint8], max_length: int) -> NDArray[np.uint16]:
        """uint16 [n, max_length]: the labels of uint8 [n, header_bytes]."""
        end = _LABEL_OFFSET + max_length * self.label_dtype.itemsize
        stored = headers[:, _LABEL_OFFSET:end]
        if self.label_dtype.itemsize > 1:
            stored = np.ascontiguousarray(stored).view(self.label_dtype)
        return stored.astype(np.uint16)

    def stored_label(self, record: bytes, max_length: int) -> bytes:
        """The label of a whole record, as `stored` gave it."""
        return record[_LABEL_OFFSET : _LABEL_OFFSET + max_length * self.label_dtype.itemsize]


_NARROW, _WIDE = RecordLayout(np.dtype("u1"), 16), RecordLayout(np.dtype("<u2"), 32)


def layout_of(spec: DatasetSpec) -> RecordLayout:
    """The smallest layout that holds the labels of the spec."""
    return _NARROW if spec.num_classes <= 255 and spec.max_length <= _NARROW.max_length else _WIDE


def record_key(fingerprint: str, split: str) -> int:
    """A 64-bit hash of data set and split, the same for all records of the split."""
    return int.from_bytes(hashlib.blake2b(f"{fingerprint}/{split}".encode(), digest_size=8).digest(), "little")


def is_intact(key: int, index: int, codec: Codec, header: memoryview, payload: memoryview) -> bool:
    """Whether header and payload are, bit for bit, this sample's record."""
    checksum, stored_index, size, code = _FRONT.unpack_from(header)
    if stored_index != index or size != len(payload) or code != _CODEC_NUMBERS[codec]:
        return False
    return bool(checksum == xxhash.xxh3_64_intdigest(payload, xxhash.xxh3_64_intdigest(header[8:], key)))


def max_payload_bytes(spec: DatasetSpec) -> int:
    """No codec makes an image larger: incompressible pixels grow by less than 1% and a header in Zstandard and PNG."""
    return spec.image_bytes + spec.image_bytes // 64 + 4096


def sample_digest(split: str, index: int, label: bytes, pixels: bytes | memoryview) -> int:
    """128 bits of one sample, whatever its codec; label: as it is stored; pixels: see `digested`.

    A set of samples has the sum of theirs modulo `DIGEST_MODULUS`.

    A sum does not depend on order, so neither the workers nor the shard size change it. It shows whether two runs made
    the same samples; it does not protect against forgery. Damage is found by the checksums and each shard's SHA-256.
    """
    seed = xxhash.xxh3_64_intdigest(f"{split}/{index}/".encode() + label)
    return xxhash.xxh3_128_intdigest(pixels, seed)


def digested(spec: DatasetSpec, image: NDArray[np.uint8]) -> bytes | memoryview:
    """What the digest of a sample is made of: its pixels; for imported pictures their `content_of`.

    An import knows that one long before it knows the sample's index, and need not decode the picture again.
    """
    return content_of(image) if spec.is_imported else np.ascontiguousarray(image).data


def content_of(image: NDArray[np.uint8]) -> bytes:
    """The digest of a picture, uint8 [height, width, 3]: 16 bytes that equal pictures share, and no others."""
    height, width, _ = image.shape
    return xxhash.xxh3_128_digest(np.ascontiguousarray(image).data, seed=width << 32 | height)


def _checksum(key: int, rest: bytes | memoryview, payload: bytes | memoryview) -> int:
    return xxhash.xxh3_64_intdigest(payload, xxhash.xxh3_64_intdigest(rest, key))
