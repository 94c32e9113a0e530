"""`connect` to a data set service, then open streams of batches or read single samples."""

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack
from weakref import WeakSet

import grpc

from shared.client.channel import accepts_connections, split_target
from shared.client.prefetch import BatchStream, BatchStreams
from shared.client.retry import RetryPolicy
from shared.client.retrying_stream import RetryingStream
from shared.client.service import Service
from shared.errors import DataLoss, InvalidRequest, Unavailable
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Sample
from shared.protocol.codec import Codec
from shared.protocol.messages import CODECS, codecs_of, dataset_of, samples_of
from shared.protocol.request import StreamFields, StreamRequest, check_indices, max_samples
from shared.rpc_errors import from_rpc_error, is_transient, reason_of
from shared.security.channel_credentials import Credentials
from shared.security.credentials import PLAIN, Security
from shared.system.malloc import keep_freed_blocks

_RETRY_INTERVAL_S = 0.2
_HINT = "; start one with: python -m datagen_server serve"
_T = TypeVar("_T")


def connect(target: str, retry_policy: RetryPolicy | None = None, security: Security = PLAIN) -> "DatasetClient":
    """Asks the service at `target` what it serves.

    target: HOST:PORT, several joined by commas, or any gRPC target; all replicas must serve the same data set.
    security: certificates and token. Raises `Unavailable` when none of them answers within
    `retry_policy.connect_timeout_s`, `AccessDenied` for a wrong token, `UsageError` for no target or unusable files.
    """
    return DatasetClient(target, retry_policy or RetryPolicy(), security)


class DatasetClient:
    """A data set at a service. Safe to use from many threads; does not survive a fork."""

    def __init__(self, target: str, retry_policy: RetryPolicy, security: Security) -> None:
        keep_freed_blocks()
        self.target, self._retry_policy, self._security = target, retry_policy, security
        credentials = Credentials(security)
        self._services = [Service(part, credentials) for part in split_target(target)]
        self._streams: WeakSet[BatchStream] = WeakSet()
        try:
            described = self._first_answer(lambda service, left_s: service.get_dataset(pb.GetDatasetRequest(), left_s))
        except BaseException:
            self.close()
            raise
        self.dataset = dataset_of(described)
        "Spec, split counts and fingerprint."
        self.codecs = codecs_of(described)
        "What the service offers, the cheapest for it first."
        self._first_codec = next(iter(self.codecs), Codec.RAW)
        self.source = described.source
        "'rendered', 'shards' or 'ocr-lmdb'."

    def request(self, split: str, *, codec: Codec | None = None, **fields: Unpack[StreamFields]) -> StreamRequest:
        """What to give to `open_stream`; fields: as of `StreamRequest`, which has their bounds.

        codec: how images are sent; None: the one that the service offers first, which for stored samples is the one
        they are stored with. Raises `InvalidRequest` and `NotFound`, naming the field.
        """
        return StreamRequest(dataset=self.dataset, split=split, codec=codec or self._first_codec, **fields)

    def stream(
        self, split: str, *, codec: Codec | None = None, prefetch: int = 4, **fields: Unpack[StreamFields]
    ) -> BatchStream:
        """Opens the stream of one rank's batches of an epoch: `request` and `open_stream` in one."""
        return self.open_stream(self.request(split, codec=codec, **fields), prefetch)

    def open_stream(self, request: StreamRequest, prefetch: int = 4) -> BatchStream:
        """Opens the stream of `request`; prefetch: how many batches, at least 1, are received and decoded ahead.

        Raises `InvalidRequest` at once; while iterating, any `StreamingError` that `RetryingStream` names.
        """
        if prefetch < 1:
            raise InvalidRequest("prefetch", f"must be at least 1, got {prefetch}")
        stream = BatchStream(request, prefetch, self._retrying_stream)
        self._streams.add(stream)
        return stream

    def open_streams(self, requests: Iterable[StreamRequest], prefetch: int = 4) -> BatchStreams:
        """The streams of several requests as one, such as the epochs of a training; see `open_stream`."""
        return BatchStreams(requests, lambda request: self.open_stream(request, prefetch))

    def samples(self, split: str, indices: Sequence[int], codec: Codec | None = None) -> list[Sample]:
        """Single samples, in the order asked; `InvalidRequest` and `NotFound` name what is out of its bound."""
        check_indices(self.dataset, split, indices)
        size = max_samples(self.dataset.spec)
        parts = [indices[start : start + size] for start in range(0, len(indices), size)]
        return [sample for part in parts for sample in self._samples(split, part, codec or self._first_codec)]

    def close(self) -> None:
        """Ends all its streams."""
        for stream in list(self._streams):
            stream.close()
        for service in self._services:
            service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _retrying_stream(self, request: StreamRequest) -> RetryingStream:
        return RetryingStream(self._services, request, self._retry_policy)

    def _why(self, reason: str) -> str:
        """`reason` and what to do about it. A name may have several addresses, of which gRPC tells the last one's."""
        if "refused" in reason and any(accepts_connections(service.target) for service in self._services):
            reason = "socket closed; another address of it refuses connections"
        return f"{reason}){self._security.tls_hint(reason) or ('' if self._security.tls_ca else _HINT)}"

    def _samples(self, split: str, indices: Sequence[int], codec: Codec) -> list[Sample]:
        request = pb.GetSamplesRequest(split=split, indices=indices, codec=CODECS[codec])
        answer = self._first_answer(lambda service, left_s: service.get_samples(request, left_s))
        if [sample.index for sample in answer.samples] != list(indices):
            raise DataLoss(f"{self.target} answered with other samples than were asked for")
        return samples_of(answer, codec, self.dataset.spec)

    def _first_answer(self, ask: Callable[[Service, float], _T]) -> _T:
        """The answer of the first service that has one; asks them in turn until the time is up."""
        deadline, reason = time.monotonic() + self._retry_policy.connect_timeout_s, ""
        while True:
            for service in self._services:
                try:
                    return ask(service, max(deadline - time.monotonic(), 0.1))
                except grpc.RpcError as error:
                    if not is_transient(error):
                        raise from_rpc_error(error, service.target) from error
                    # The last try may have had too little time to find the true reason.
                    if not reason or error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                        reason, cause = reason_of(error), error
            if time.monotonic() + _RETRY_INTERVAL_S > deadline:
                raise Unavailable(f"no data set service answers at {self.target} ({self._why(reason)}") from cause
            time.sleep(_RETRY_INTERVAL_S)
