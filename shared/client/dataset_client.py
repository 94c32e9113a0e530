"""The reader's side of the service: `connect`, then ask for streams of batches.

with connect("127.0.0.1:50051") as client, client.stream("train", global_batch_size=64) as stream:
    for batch in stream: ...
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakSet

import grpc

from shared.client.channel import Service, split_target
from shared.client.prefetch import BatchStream
from shared.client.retry import Cursor, RetryPolicy
from shared.dataset.rank_slice import Remainder
from shared.errors import DataLoss, InvalidRequest, Unavailable, from_rpc_error, is_transient, reason_of
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Sample
from shared.protocol.codec import Codec
from shared.protocol.messages import CODECS, MAX_SAMPLES, codecs_of, dataset_of, samples_of
from shared.protocol.request import MAX_BATCH_BYTES, StreamRequest, check_indices
from shared.security.credentials import PLAIN, Credentials, Security
from shared.system.malloc import keep_freed_blocks

__all__ = ["BatchStream", "DatasetClient", "RetryPolicy", "connect"]

_PAUSE_S = 0.2
_HINT = "; start one with: python -m datagen_server serve"
_T = TypeVar("_T")


def connect(target: str, retry_policy: RetryPolicy | None = None, security: Security = PLAIN) -> "DatasetClient":
    """Asks the service at `target` what it serves.

    target: HOST:PORT, several of them joined by commas, or any gRPC target; the replicas must serve one data set.
    security: certificates and token. Raises `Unavailable` when none of them answers within
    `retry_policy.connect_timeout_s`, `AccessDenied` for a wrong token, `UsageError` for no target or unusable files.
    """
    return DatasetClient(target, retry_policy or RetryPolicy(), security)


class DatasetClient:
    """A data set that somebody else serves. Safe to use from many threads; does not survive a fork."""

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
        "What streams may be asked for, the cheapest for the service first."
        self._first_codec = next(iter(self.codecs), Codec.RAW)
        self.source = described.source
        "'rendered' or 'shards', for people."

    def stream(
        self,
        split: str,
        *,
        order_seed: int = 0,
        shuffle: bool = True,
        epoch: int = 0,
        first_step: int = 0,
        num_steps: int = 0,
        global_batch_size: int = 64,
        rank: int = 0,
        ranks: int = 1,
        remainder: Remainder = Remainder.DROP,
        codec: Codec | None = None,
        prefetch: int = 4,
    ) -> BatchStream:
        """Opens the stream of one rank's batches of steps `first_step` on (`num_steps` of them; 0: to the epoch's end).

        codec: how images travel; None: as the service offers first, which for stored samples is as they are stored.
        prefetch: how many batches, at least 1, are received and decoded ahead. `StreamRequest` has the other bounds.
        Raises `InvalidRequest` and `NotFound` at once; while iterating, any `StreamingError` that `Cursor` names.
        """
        if prefetch < 1:
            raise InvalidRequest("prefetch", f"must be at least 1, got {prefetch}")
        address = StreamRequest(
            dataset=self.dataset,
            split=split,
            order_seed=order_seed,
            shuffle=shuffle,
            epoch=epoch,
            first_step=first_step,
            num_steps=num_steps,
            global_batch_size=global_batch_size,
            rank=rank,
            ranks=ranks,
            remainder=remainder,
            codec=codec or self._first_codec,
        )
        stream = BatchStream(Cursor(self._services, address, self._retry_policy), prefetch)
        self._streams.add(stream)
        return stream

    def samples(self, split: str, indices: Sequence[int], codec: Codec | None = None) -> list[Sample]:
        """Single samples, in the order asked; `InvalidRequest` and `NotFound` name what is out of its bound."""
        check_indices(self.dataset, split, indices)
        size = max(1, min(MAX_SAMPLES, MAX_BATCH_BYTES // self.dataset.spec.image_bytes))
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
                    # The last try may have had too little time to fail for the true reason.
                    if not reason or error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                        reason, cause = reason_of(error), error
            if time.monotonic() + _PAUSE_S > deadline:
                hint = self._security.suspicion(reason) or ("" if self._security.tls_ca else _HINT)
                raise Unavailable(f"no data set service answers at {self.target} ({reason}){hint}") from cause
            time.sleep(_PAUSE_S)
