"""One target of a client, with the calls of the contract."""

from collections.abc import Callable
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from shared.client.channel_pool import ChannelPool
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.contract import REQUEST_ID_KEY, SERVICE
from shared.security.channel_credentials import ANONYMOUS, Credentials

_T = TypeVar("_T")


class Service:
    """One target. Its calls raise `grpc.RpcError`; the constructor `UsageError` for a token that may not go there."""

    def __init__(self, target: str, credentials: Credentials = ANONYMOUS) -> None:
        credentials.security.check_target(target)
        self.target, self._credentials = target, credentials
        self._channels = ChannelPool(target, credentials)

    def get_dataset(self, request: pb.GetDatasetRequest, timeout_s: float) -> pb.GetDatasetResponse:
        """What the service serves."""
        return self._unary("GetDataset", request, pb.GetDatasetResponse.FromString, timeout_s)

    def get_samples(self, request: pb.GetSamplesRequest, timeout_s: float) -> pb.GetSamplesResponse:
        """Single samples."""
        return self._unary("GetSamples", request, pb.GetSamplesResponse.FromString, timeout_s)

    def stream_batches(self, request: pb.StreamBatchesRequest, request_id: str = "") -> "grpc.CallIterator[bytes]":
        """An iterator of messages, not parsed: `read_batch` does that. request_id: for the service's log."""
        lease = self._channels.lease()
        method = lease.channel.unary_stream(
            f"/{SERVICE}/StreamBatches",
            request_serializer=pb.StreamBatchesRequest.SerializeToString,
            response_deserializer=None,
        )
        named = ((REQUEST_ID_KEY, request_id),) if request_id else ()
        call = method(request, metadata=(*self._credentials.of_call(), *named))
        if not call.add_callback(lease.end):
            lease.end()
        return call

    def close(self) -> None:
        """Ends all its calls."""
        self._channels.close()

    def _unary(self, method: str, request: Message, parse: Callable[[bytes], _T], timeout_s: float) -> _T:
        lease = self._channels.lease()
        call = lease.channel.unary_unary(
            f"/{SERVICE}/{method}", request_serializer=type(request).SerializeToString, response_deserializer=parse
        )
        try:
            answer: _T = call(request, timeout=timeout_s, metadata=self._credentials.of_call())
        finally:
            lease.end()
        return answer
