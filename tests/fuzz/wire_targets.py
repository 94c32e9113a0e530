"""What clients and services read of each other: requests, batches, answers, images."""

from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from datagen_server.service.validation import parse, sample_indices, stream_request
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import StreamingError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol import batch_message, messages
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode
from shared.protocol.request import StreamRequest
from tests.fuzz.attempts import MakeTarget, Target
from tests.support.toys import TOY_COUNTS, TOY_FINGERPRINT, ToySource

SPEC = DatasetSpec(width=16, height=16, alphabet="01", max_length=2)
DATASET = Dataset(spec=SPEC, counts=TOY_COUNTS, fingerprint=TOY_FINGERPRINT)
CODECS = tuple(Codec)
_INDICES = np.arange(3, dtype=np.uint64)


def _requests(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        with suppress(StreamingError):
            sample_indices(parse(pb.GetSamplesRequest.FromString, data), DATASET, CODECS)
        request = stream_request(parse(pb.StreamBatchesRequest.FromString, data), DATASET, CODECS)
        for step in islice(request.steps, 2):
            indices = request.order.indices(request.rank_slice.positions(step))
            assert len(indices) <= request.rank_slice.batch_size
            assert not len(indices) or indices.max() < request.count

    request = StreamRequest(dataset=DATASET, split="train", epoch=3, first_step=2, rank=1, ranks=2, codec=Codec.ZSTD)
    samples = pb.GetSamplesRequest(split="test", indices=[0, 129, 5], codec=pb.CODEC_PNG)
    return Target(decode_one, [messages.request_message(request).SerializeToString(), samples.SerializeToString()])


def _batch(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        with suppress(StreamingError):
            batch_message.read_batch(data, SPEC).decode()
        batch = batch_message.read_batch(_with_right_checksum(data), SPEC).decode()
        assert batch.images.shape == (len(batch), *SPEC.image_shape)
        assert batch.labels.shape == (len(batch), SPEC.max_length)

    return Target(decode_one, [batch_message.encode_batch(1, 2, _INDICES, _records(codec)) for codec in CODECS])


def _answers(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        with suppress(StreamingError, DecodeError):
            described = pb.GetDatasetResponse.FromString(data)
            messages.codecs_of(described)
            messages.dataset_of(described)
        with suppress(DecodeError):
            samples = pb.GetSamplesResponse.FromString(data)
            for codec in CODECS:
                with suppress(StreamingError):
                    messages.samples_of(samples, codec, SPEC)

    samples = [messages.samples_message([0, 1, 2], _records(codec), DATASET).SerializeToString() for codec in CODECS]
    return Target(decode_one, [messages.dataset_message(DATASET, CODECS, "toy").SerializeToString(), *samples])


def _images(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        codec = CODECS[data[0] % len(CODECS)] if data else Codec.RAW
        assert decode([data[1:]], codec, SPEC.image_shape).shape == (1, *SPEC.image_shape)

    image = np.random.default_rng(0).integers(0, 255, SPEC.image_shape, np.uint8)
    return Target(decode_one, [bytes([number]) + encode(image, codec) for number, codec in enumerate(CODECS)])


def _records(codec: Codec) -> Records:
    source = ToySource(SPEC)
    try:
        return source.read("train", _INDICES, codec).result()
    finally:
        source.close()


def _with_right_checksum(data: bytes) -> bytes:
    try:
        message = pb.StreamBatchesResponse.FromString(data)
    except DecodeError:
        return data
    indices, sizes = np.array(message.indices, np.uint64), np.array(message.image_sizes, np.uint32)
    message.checksum = batch_message._checksum(indices, message.labels, sizes, [message.images])
    return message.SerializeToString()


WIRE_TARGETS: dict[str, MakeTarget] = {
    "requests": _requests,
    "batch": _batch,
    "answers": _answers,
    "images": _images,
}
