"""Values to messages and back, for both sides; `batch_message` has the one large message, a batch.

`request_message` and `request_of` are the only mapping between a `StreamRequest` and its message: fields of the same
name are copied, so a new field needs no line here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields

from shared.dataset.rank_slice import Remainder
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import InvalidRequest
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Records, Sample, split_images, text_of
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode
from shared.protocol.request import StreamRequest
from shared.protocol.spec_message import spec_message, spec_of

CODECS: Mapping[Codec, pb.Codec] = {codec: getattr(pb, f"CODEC_{codec.name}") for codec in Codec}
REMAINDERS: Mapping[Remainder, pb.Remainder] = {
    Remainder.DROP: pb.REMAINDER_DROP,
    Remainder.PAD: pb.REMAINDER_PAD,
}
CODEC_OF: Mapping[int, Codec] = {int(number): codec for codec, number in CODECS.items()}

_REMAINDER_OF: Mapping[int, Remainder] = {
    int(pb.REMAINDER_UNSPECIFIED): Remainder.DROP,
    **{int(number): remainder for remainder, number in REMAINDERS.items()},
}
_SAME_IN_MESSAGE = tuple(
    field.name for field in fields(StreamRequest) if field.name not in ("dataset", "codec", "remainder")
)


def dataset_message(dataset: Dataset, codecs: Sequence[Codec], kind: str) -> pb.GetDatasetResponse:
    """The description of a data set as GetDataset gives it."""
    return pb.GetDatasetResponse(
        spec=spec_message(dataset.spec),
        fingerprint=dataset.fingerprint,
        splits=[pb.Split(name=name, count=count) for name, count in dataset.counts.items()],
        codecs=[CODECS[codec] for codec in codecs],
        source=kind,
    )


def dataset_of(message: pb.GetDatasetResponse) -> Dataset:
    """The inverse of `dataset_message`; raises `UsageError` where the spec is out of its bounds."""
    return Dataset(
        spec=spec_of(message.spec),
        counts={split.name: split.count for split in message.splits},
        fingerprint=message.fingerprint,
    )


def codecs_of(message: pb.GetDatasetResponse) -> tuple[Codec, ...]:
    """The codecs a service offers, without those this reader does not know."""
    return tuple(CODEC_OF[number] for number in message.codecs if number in CODEC_OF)


def request_message(request: StreamRequest) -> pb.StreamBatchesRequest:
    """The message that asks for `request`, of exactly its data set."""
    return pb.StreamBatchesRequest(
        fingerprint=request.dataset.fingerprint,
        split_count=request.count,
        codec=CODECS[request.codec],
        remainder=REMAINDERS[request.remainder],
        **{name: getattr(request, name) for name in _SAME_IN_MESSAGE},
    )


def request_of(message: pb.StreamBatchesRequest, dataset: Dataset, codecs: Collection[Codec]) -> StreamRequest:
    """The inverse of `request_message`, for a service of `dataset` that offers `codecs`.

    Raises `InvalidRequest` or `NotFound`, naming the field. Fingerprint and split count are for the caller to compare.
    """
    if message.remainder not in _REMAINDER_OF:
        raise InvalidRequest("remainder", f"must be one of {sorted(_REMAINDER_OF)}, got {message.remainder}")
    return StreamRequest(
        dataset=dataset,
        codec=requested_codec(message.codec, codecs),
        remainder=_REMAINDER_OF[message.remainder],
        **{name: getattr(message, name) for name in _SAME_IN_MESSAGE},
    )


def requested_codec(number: int, offered: Collection[Codec]) -> Codec:
    """The codec that a request names by its number in the proto; raises `InvalidRequest` unless it is offered."""
    codec = Codec.RAW if number == pb.CODEC_UNSPECIFIED else CODEC_OF.get(number)
    if codec is None or codec not in offered:
        names = ", ".join(f"{CODECS[known]} ({known.value})" for known in offered)
        raise InvalidRequest("codec", f"must be one of {names}, got {number}")
    return codec


def samples_message(indices: Sequence[int], records: Records, dataset: Dataset) -> pb.GetSamplesResponse:
    """The samples of `indices` for GetSamples."""
    spec, joined = dataset.spec, memoryview(b"".join(records.payloads))
    sizes = records.image_sizes.tolist() or [spec.image_bytes] * len(indices)
    images = [bytes(image) for image in split_images(joined, sizes)]
    texts = [text_of(label, spec.alphabet) for label in records.labels]
    samples = zip(indices, texts, images, strict=True)
    return pb.GetSamplesResponse(
        samples=[pb.Sample(index=i, text=text, image=image) for i, text, image in samples],
        fingerprint=dataset.fingerprint,
    )


def samples_of(message: pb.GetSamplesResponse, codec: Codec, spec: DatasetSpec) -> list[Sample]:
    """The inverse of `samples_message`, decoded; raises `DataLoss` for what is no image of this spec."""
    images = decode([sample.image for sample in message.samples], codec, spec.image_shape)
    return [Sample(sample.index, sample.text, image) for sample, image in zip(message.samples, images, strict=True)]
