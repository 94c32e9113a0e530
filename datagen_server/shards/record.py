"""One stored sample: a header of 40 bytes, then the encoded image, which is sent as it is stored.

    checksum  uint64   xxh3_64 of the payload, seeded with xxh3_64 of the rest of the header, seeded with the record key
    index     uint64   within the split
    size      uint32   bytes of the payload
    codec     uint8    its number in the proto: 1 raw, 2 zstd, 3 png; then three zero bytes
    label     uint8 [16]  padded with the blank class to max_length, then with 255

All little-endian. Note: the record key, made of fingerprint and split, is part of every checksum. A record
from elsewhere (another data set, another split, another index) is as damaged as one with a flipped bit.
"""

import hashlib
import struct

import numpy as np
import xxhash
from numpy.typing import NDArray

from shared.dataset.spec import DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.messages import CODECS

HEADER_BYTES = 40
LABEL_OFFSET = 24
DIGEST_MODULUS = 2**128

_FRONT = struct.Struct("<QQIB")
_REST = struct.Struct("<QIB3x16s")
_CODEC_NUMBERS = {codec: int(number) for codec, number in CODECS.items()}


def record_key(fingerprint: str, split: str) -> int:
    """A 64-bit hash of data set and split, the same for all records of the split."""
    return int.from_bytes(hashlib.blake2b(f"{fingerprint}/{split}".encode(), digest_size=8).digest(), "little")


def header_of(key: int, index: int, codec: Codec, label: NDArray[np.uint8], payload: bytes) -> bytes:
    """The header of a record; label: uint8 [max_length], padded with the blank class."""
    rest = _REST.pack(index, len(payload), _CODEC_NUMBERS[codec], label.tobytes().ljust(16, b"\xff"))
    return _checksum(key, rest, payload).to_bytes(8, "little") + rest


def is_intact(key: int, index: int, codec: Codec, header: memoryview, payload: memoryview) -> bool:
    """Whether header and payload are, bit for bit, this sample's record."""
    checksum, stored_index, size, code = _FRONT.unpack_from(header)
    if (stored_index, size, code) != (index, len(payload), _CODEC_NUMBERS[codec]):
        return False
    return bool(checksum == _checksum(key, header[8:], payload))


def max_payload_bytes(spec: DatasetSpec) -> int:
    """No codec makes an image larger: incompressible pixels grow by less than 1% and a header in Zstandard and PNG."""
    return spec.image_bytes + spec.image_bytes // 64 + 4096


def sample_digest(split: str, index: int, label: NDArray[np.uint8], image: NDArray[np.uint8]) -> int:
    """128 bits of one sample, whatever its codec. A set of samples has the sum of theirs modulo `DIGEST_MODULUS`.

    A sum does not depend on order, so neither the workers nor the shard size change it. It shows whether two runs made
    the same samples; it does not protect against forgery. Damage is found by the checksums and each shard's SHA-256.
    """
    seed = xxhash.xxh3_64_intdigest(f"{split}/{index}/".encode() + label.tobytes())
    return xxhash.xxh3_128_intdigest(np.ascontiguousarray(image).data, seed)


def _checksum(key: int, rest: bytes | memoryview, payload: bytes | memoryview) -> int:
    return xxhash.xxh3_64_intdigest(payload, xxhash.xxh3_64_intdigest(rest, key))
