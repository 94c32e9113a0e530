"""Validation: a request message becomes a checked value here, or is refused; no other module reads request messages."""

import re
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from shared.dataset.rank_slice import Remainder
from shared.dataset.spec import Dataset
from shared.errors import ForeignDataset, InvalidRequest
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.codec import Codec
from shared.protocol.messages import CODEC_OF, CODECS, MAX_SAMPLES, REMAINDERS
from shared.protocol.request import MAX_BATCH_BYTES, StreamRequest, check_indices, count_of

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
# Unspecified means the default.
_CODECS = {**CODEC_OF, int(pb.CODEC_UNSPECIFIED): Codec.RAW}
_REMAINDERS = {int(number): remainder for remainder, number in REMAINDERS.items()}
_REMAINDERS[int(pb.REMAINDER_UNSPECIFIED)] = Remainder.DROP
_T = TypeVar("_T")


def parse(from_string: Callable[[bytes], _T], data: bytes) -> _T:
    """The request in `data`; raises `InvalidRequest` when the bytes are no such message."""
    try:
        return from_string(data)
    except DecodeError as error:
        raise InvalidRequest("request", f"must be a message of captcha.v1, got {len(data)} other bytes") from error


def stream_request(request: pb.StreamBatchesRequest, dataset: Dataset, codecs: tuple[Codec, ...]) -> StreamRequest:
    """What a StreamBatchesRequest asks for.

    Raises `InvalidRequest`, `NotFound` or `ForeignDataset`, each naming the field.
    """
    _check_fingerprint(request.fingerprint, dataset.fingerprint)
    count = count_of(dataset, request.split)
    if request.split_count not in (0, count):
        problem = f"split_count must be {count} for split {request.split}, got {request.split_count}"
        raise ForeignDataset(f"{problem}; connect again to learn the sizes")
    if request.remainder not in _REMAINDERS:
        raise InvalidRequest("remainder", f"must be one of {sorted(_REMAINDERS)}, got {request.remainder}")
    return StreamRequest(
        dataset=dataset,
        split=request.split,
        order_seed=request.order_seed,
        shuffle=request.shuffle,
        epoch=request.epoch,
        first_step=request.first_step,
        num_steps=request.num_steps,
        global_batch_size=request.global_batch_size,
        rank=request.rank,
        ranks=request.ranks,
        remainder=_REMAINDERS[request.remainder],
        codec=_codec(request.codec, codecs),
    )


def sample_indices(
    request: pb.GetSamplesRequest, dataset: Dataset, codecs: tuple[Codec, ...]
) -> tuple[NDArray[np.uint64], Codec]:
    """What a GetSamplesRequest asks for; raises `InvalidRequest` or `NotFound`, each naming the field."""
    count_of(dataset, request.split)
    limit = max(1, min(MAX_SAMPLES, MAX_BATCH_BYTES // dataset.spec.image_bytes))
    if not 1 <= len(request.indices) <= limit:
        raise InvalidRequest("indices", f"must be 1..{limit} of them, got {len(request.indices)}")
    check_indices(dataset, request.split, request.indices)
    return np.array(request.indices, np.uint64), _codec(request.codec, codecs)


def _check_fingerprint(asked: str, own: str) -> None:
    if asked and not _FINGERPRINT.fullmatch(asked):
        raise InvalidRequest("fingerprint", f"must be 64 hex digits or empty, got {len(asked)} characters")
    if asked not in ("", own):
        problem = f"fingerprint must be {own[:16]}... as of this data set, got {asked[:16]}..."
        raise ForeignDataset(f"{problem}; the pixels would be others")


def _codec(number: int, offered: tuple[Codec, ...]) -> Codec:
    codec = _CODECS.get(number)
    if codec is None or codec not in offered:
        names = ", ".join(f"{CODECS[known]} ({known.value})" for known in offered)
        raise InvalidRequest("codec", f"must be one of {names}, got {number}")
    return codec
