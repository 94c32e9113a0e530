"""The message of one batch: encode it on the server, read and check it in the client.

The images never pass through a protobuf object. They are the last field, and protobuf allows a message to be put
together from the bytes of its parts: the server joins the message of the small fields with the stored payloads in one
copy, and the client uses the pixels where they were received. The bytes are those of a plain protobuf message, which
any other implementation of the contract can read or write.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Batch, Records
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode_joined
from shared.protocol.messages import CODEC_OF, CODECS

_LENGTH_DELIMITED = 2
_FIXED_SIZES = {1: 8, 5: 4}
_IMAGES_KEY = pb.StreamBatchesResponse.IMAGES_FIELD_NUMBER << 3 | _LENGTH_DELIMITED
_NUM_FIELDS = len(pb.StreamBatchesResponse.DESCRIPTOR.fields)


def encode_batch(epoch: int, step: int, indices: NDArray[np.uint64], records: Records) -> bytes:
    """The bytes of a StreamBatchesResponse; `indices`: [n], of the n `records`."""
    labels = records.labels.astype("<u2", copy=False).tobytes()
    small_fields = pb.StreamBatchesResponse(
        epoch=epoch,
        step=step,
        codec=CODECS[records.codec],
        checksum=_checksum(indices, labels, records.image_sizes, records.payloads),
        indices=indices.tolist(),
        labels=labels,
        image_sizes=records.image_sizes.tolist(),
    ).SerializeToString()
    size = sum(memoryview(payload).nbytes for payload in records.payloads)
    return b"".join([small_fields, _varint(_IMAGES_KEY), _varint(size), *records.payloads])


@dataclass(frozen=True, eq=False)
class ReceivedBatch:
    """A batch whose checksum was right, with its images still encoded."""

    epoch: int
    step: int
    labels: NDArray[np.uint16]
    indices: NDArray[np.uint64]
    codec: Codec
    _images: memoryview
    _image_sizes: NDArray[np.uint32]
    _shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.indices)

    def decode(self) -> Batch:
        """The batch; raw images are a view of the message. Raises `DataLoss` for what is no image of the spec."""
        try:
            images = _decode_images(self._images, self._image_sizes, len(self), self.codec, self._shape)
        except DataLoss as error:
            place = f"step {self.step} of epoch {self.epoch}"
            raise DataLoss(f"{place} came as it was sent and cannot be decoded: {error}") from error
        return Batch(epoch=self.epoch, step=self.step, images=images, labels=self.labels, indices=self.indices)


def read_batch(message: bytes, spec: DatasetSpec) -> ReceivedBatch:
    """What the bytes of a StreamBatchesResponse hold, its checksum verified; `DataLoss` for no batch of this spec."""
    fields, images = _parse(message)
    indices = np.array(fields.indices, np.uint64)
    sizes = np.array(fields.image_sizes, np.uint32)
    if (found := _checksum(indices, fields.labels, sizes, [images])) != fields.checksum:
        raise DataLoss(f"step {fields.step} came with checksum {fields.checksum:016x}, its bytes have {found:016x}")
    if len(fields.labels) != 2 * indices.size * spec.max_length:
        raise DataLoss(f"step {fields.step} came with {len(fields.labels)} label bytes for {indices.size} samples")
    codec = _codec_of(fields.codec)
    labels = np.frombuffer(fields.labels, "<u2").astype(np.uint16, copy=False).reshape(-1, spec.max_length)
    return ReceivedBatch(fields.epoch, fields.step, labels, indices, codec, images, sizes, spec.image_shape)


def _decode_images(
    images: memoryview, sizes: NDArray[np.uint32], n: int, codec: Codec, shape: tuple[int, int, int]
) -> NDArray[np.uint8]:
    if codec is Codec.RAW:
        if sizes.size or images.nbytes != n * int(np.prod(shape)):
            raise DataLoss(f"{images.nbytes} bytes are not {n} raw images of {shape[1]}x{shape[0]} pixels")
        return np.frombuffer(images, np.uint8).reshape(n, *shape)
    if sizes.size != n or int(sizes.sum(dtype=np.uint64)) != images.nbytes:
        raise DataLoss(f"{images.nbytes} bytes with {sizes.size} sizes are not {n} images")
    return decode_joined(images, sizes.tolist(), codec, shape)


def _codec_of(number: int) -> Codec:
    if number not in CODEC_OF:
        raise DataLoss(f"a batch came in the unknown codec {number}; this reader is older than the service")
    return CODEC_OF[number]


def _checksum(
    indices: NDArray[np.uint64],
    labels: bytes,
    sizes: NDArray[np.uint32],
    payloads: Sequence[bytes | memoryview],
) -> int:
    hasher = xxhash.xxh3_64(indices.astype("<u8", copy=False).tobytes())
    hasher.update(labels)
    hasher.update(sizes.astype("<u4", copy=False).tobytes())
    for payload in payloads:
        hasher.update(payload)
    return int(hasher.intdigest())


def _parse(message: bytes) -> tuple[pb.StreamBatchesResponse, memoryview]:
    """The small fields as a message, and the images as a view."""
    try:
        start, images = _find_images(message)
    except IndexError:
        start, images = len(message), 0
    try:
        fields = pb.StreamBatchesResponse.FromString(message[:start])
    except DecodeError as error:
        raise DataLoss(f"{len(message)} bytes came that are no StreamBatchesResponse") from error
    return fields, memoryview(message)[images:] if images else memoryview(fields.images)


def _find_images(message: bytes) -> tuple[int, int]:
    """Where the field of the images starts, and its content; (all, 0): leave it to protobuf.

    Other implementations may write fields behind the images, or numbers that are not packed.
    """
    at = 0
    for _ in range(_NUM_FIELDS):
        if at == len(message):
            break
        key, content = _read_varint(message, at)
        kind = key & 7
        if kind in _FIXED_SIZES:
            at = content + _FIXED_SIZES[kind]
            continue
        size, content = _read_varint(message, content)
        if key == _IMAGES_KEY and content + size == len(message):
            return at, content
        at = content + (size if kind == _LENGTH_DELIMITED else 0)
    return len(message), 0


def _varint(value: int) -> bytes:
    """Base 128, seven bits a byte, lowest first (protobuf.dev/programming-guides/encoding)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    """The value at `at` and where it ends; `IndexError` past the end of the message or of 64 bits."""
    value = 0
    for shift in range(0, 64, 7):
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
    raise IndexError(f"a varint at {at - 10} is longer than 10 bytes")
