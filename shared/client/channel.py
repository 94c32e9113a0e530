"""How a reader reaches services: targets, and for each a channel with the calls of the contract.

What surprises is what gRPC does by default: it sends loopback calls to an HTTP proxy, and waits for ever for a server
that froze. The options here end both.
"""

import json
import re
import threading
from collections.abc import Sequence

import grpc
from grpc.experimental import ChannelOptions

from shared.errors import UsageError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.messages import MAX_MESSAGE_BYTES, SERVICE
from shared.security.credentials import ANONYMOUS, Credentials

_URI = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_ADDRESS_LIST = re.compile(r"ipv[46]:")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\s:/,]+):(\d{1,5})")

REQUEST_ID_KEY = "x-request-id"
"Metadata with which a caller names its request, so that both sides' logs can be laid beside each other."

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A peer that neither sends nor answers a ping for this long is gone.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # When to try again is for the reader to say; these are how soon the channel lets it. The second is also how long
    # one connection may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # One name with many addresses is many replicas. One that was restarted elsewhere is looked up this often.
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    # A stream is read by the thread that wants it, without a hop through the channel's own.
    (ChannelOptions.SingleThreadedUnaryStream, 1),
)


def split_target(target: str) -> Sequence[str]:
    """The gRPC targets in what a person typed, comma-joined; raises `UsageError` for what is none."""
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
    """One target. Its calls raise `grpc.RpcError`; the constructor `UsageError` for a token that must not go there."""

    def __init__(self, target: str, credentials: Credentials = ANONYMOUS) -> None:
        credentials.security.check_target(target)
        self.target, self._credentials = target, credentials
        self._lock = threading.Lock()
        self._made_of = credentials.of_channel()
        self._channels = [open_channel(target, self._made_of)]

    def get_dataset(self, request: pb.GetDatasetRequest, timeout_s: float) -> pb.GetDatasetResponse:
        """What the service serves."""
        call = self._channel().unary_unary(
            f"/{SERVICE}/GetDataset",
            request_serializer=pb.GetDatasetRequest.SerializeToString,
            response_deserializer=pb.GetDatasetResponse.FromString,
        )
        answer: pb.GetDatasetResponse = call(request, timeout=timeout_s, metadata=self._credentials.of_call())
        return answer

    def get_samples(self, request: pb.GetSamplesRequest, timeout_s: float) -> pb.GetSamplesResponse:
        """Single samples."""
        call = self._channel().unary_unary(
            f"/{SERVICE}/GetSamples",
            request_serializer=pb.GetSamplesRequest.SerializeToString,
            response_deserializer=pb.GetSamplesResponse.FromString,
        )
        answer: pb.GetSamplesResponse = call(request, timeout=timeout_s, metadata=self._credentials.of_call())
        return answer

    def stream_batches(self, request: pb.StreamBatchesRequest, request_id: str = "") -> "grpc.CallIterator[bytes]":
        """An iterator of messages, left as bytes. request_id: for the service's log."""
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

    def _channel(self) -> grpc.Channel:
        """The one to call on: a new one when certificates have changed, while streams go on over those before."""
        with self._lock:
            if (credentials := self._credentials.of_channel()) is not self._made_of:
                self._made_of = credentials
                self._channels.append(open_channel(self.target, credentials))
            return self._channels[-1]
