"""Validation: a request message becomes a checked value here, or is refused; no other module reads request messages."""

import re
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from shared.dataset.spec import Dataset
from shared.errors import ForeignDataset, InvalidRequest
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.codec import Codec
from shared.protocol.messages import request_of, requested_codec
from shared.protocol.request import StreamRequest, check_indices, count_of, max_samples

MAX_REQUEST_BYTES = 64 << 10
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


def parse(from_string: Callable[[bytes], _T], data: bytes) -> _T:
    """The request in `data`; raises `InvalidRequest` when the bytes are no such message, or too many for any."""
    if len(data) > MAX_REQUEST_BYTES:
        raise InvalidRequest("request", f"must have at most {MAX_REQUEST_BYTES} bytes, got {len(data)}")
    try:
        return from_string(data)
    except DecodeError as error:
        raise InvalidRequest("request", f"must be a message of captcha.v1, got {len(data)} other bytes") from error


def stream_request(message: pb.StreamBatchesRequest, dataset: Dataset, codecs: tuple[Codec, ...]) -> StreamRequest:
    """What a StreamBatchesRequest asks for.

    Raises `InvalidRequest`, `NotFound` or `ForeignDataset`, each naming the field.
    """
    _check_fingerprint(message.fingerprint, dataset.fingerprint)
    count = count_of(dataset, message.split)
    if message.split_count not in (0, count):
        problem = f"split_count must be {count} for split {message.split}, got {message.split_count}"
        raise ForeignDataset(f"{problem}; connect again to learn the sizes", "split_count")
    return request_of(message, dataset, codecs)


def sample_indices(
    message: pb.GetSamplesRequest, dataset: Dataset, codecs: tuple[Codec, ...]
) -> tuple[NDArray[np.uint64], Codec]:
    """What a GetSamplesRequest asks for; raises `InvalidRequest` or `NotFound`, each naming the field."""
    count_of(dataset, message.split)
    limit = max_samples(dataset.spec)
    if not 1 <= len(message.indices) <= limit:
        raise InvalidRequest("indices", f"must be 1..{limit} of them, got {len(message.indices)}")
    check_indices(dataset, message.split, message.indices)
    return np.array(message.indices, np.uint64), requested_codec(message.codec, codecs)


def _check_fingerprint(asked: str, own: str) -> None:
    if asked and not _FINGERPRINT.fullmatch(asked):
        raise InvalidRequest("fingerprint", f"must be 64 hex digits or empty, got {len(asked)} characters")
    if asked not in ("", own):
        problem = f"fingerprint must be {own[:16]}... as of this data set, got {asked[:16]}..."
        raise ForeignDataset(f"{problem}; the pixels would be others", "fingerprint")
