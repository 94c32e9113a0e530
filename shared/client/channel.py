"""How a client reaches services: targets, and for each a channel with the calls of the contract.

By default gRPC sends loopback calls to an HTTP proxy, and waits for ever for a server that froze. The options here
change both.
"""

import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from grpc.experimental import ChannelOptions

from shared.errors import UsageError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.messages import MAX_MESSAGE_BYTES, REQUEST_ID_KEY, SERVICE
from shared.security.credentials import ANONYMOUS, Credentials

_URI = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_ADDRESS_LIST = re.compile(r"ipv[46]:")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\s:/,]+):(\d{1,5})")
_T = TypeVar("_T")

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A peer that neither sends nor answers a ping for this long is gone.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # The client decides when to retry; these are how soon the channel lets it. The second is also how long one
    # connection may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # One name with many addresses is many replicas. The name is looked up again this often, to find restarted ones.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    # A stream is read by the thread that iterates, without a detour through a thread of the channel.
    (ChannelOptions.SingleThreadedUnaryStream, 1),
)


def split_target(target: str) -> Sequence[str]:
    """The gRPC targets in `target`, which joins them by commas; raises `UsageError` for what is none."""
    parts = [target] if _ADDRESS_LIST.match(target) else target.split(",")
    for part in parts:
        address = _HOST_PORT.fullmatch(part)
        if not _URI.match(part) and (not address or not 0 < int(address[2]) < 65536):
            expected = "HOST:PORT, several of them joined by commas, or a gRPC target such as dns:///name:port"
            raise UsageError(f"a data set service is named by {expected}; got {target!r}")
    return parts


def open_channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """A channel in TLS, or without credentials in plain text."""
    if credentials is None:
        return grpc.insecure_channel(target, options=OPTIONS)
    return grpc.secure_channel(target, credentials, options=OPTIONS)


class Service:
    """One target. Its calls raise `grpc.RpcError`; the constructor `UsageError` for a token that may not go there."""

    def __init__(self, target: str, credentials: Credentials = ANONYMOUS) -> None:
        credentials.security.check_target(target)
        self.target, self._credentials = target, credentials
        self._lock = threading.Lock()
        self._channel_credentials = credentials.of_channel()
        self._channels = [open_channel(target, self._channel_credentials)]

    def get_dataset(self, request: pb.GetDatasetRequest, timeout_s: float) -> pb.GetDatasetResponse:
        """What the service serves."""
        return self._unary("GetDataset", request, pb.GetDatasetResponse.FromString, timeout_s)

    def get_samples(self, request: pb.GetSamplesRequest, timeout_s: float) -> pb.GetSamplesResponse:
        """Single samples."""
        return self._unary("GetSamples", request, pb.GetSamplesResponse.FromString, timeout_s)

    def stream_batches(self, request: pb.StreamBatchesRequest, request_id: str = "") -> "grpc.CallIterator[bytes]":
        """An iterator of messages, not parsed: `read_batch` does that. request_id: for the service's log."""
        call = self._channel().unary_stream(
            f"/{SERVICE}/StreamBatches",
            request_serializer=pb.StreamBatchesRequest.SerializeToString,
            response_deserializer=None,
        )
        named = ((REQUEST_ID_KEY, request_id),) if request_id else ()
        return call(request, metadata=(*self._credentials.of_call(), *named))

    def close(self) -> None:
        """Ends all its calls."""
        for channel in self._channels:
            channel.close()

    def _unary(self, method: str, request: Message, parse: Callable[[bytes], _T], timeout_s: float) -> _T:
        call = self._channel().unary_unary(
            f"/{SERVICE}/{method}", request_serializer=type(request).SerializeToString, response_deserializer=parse
        )
        answer: _T = call(request, timeout=timeout_s, metadata=self._credentials.of_call())
        return answer

    def _channel(self) -> grpc.Channel:
        """The channel for new calls: a new one when certificates have changed, while open streams keep theirs."""
        with self._lock:
            if (credentials := self._credentials.of_channel()) is not self._channel_credentials:
                self._channel_credentials = credentials
                self._channels.append(open_channel(self.target, credentials))
            return self._channels[-1]
