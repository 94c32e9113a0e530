"""How a reader reaches services: targets, and for each a channel with the calls of the contract.

What surprises is what gRPC does by default: it sends loopback calls to an HTTP proxy, and waits for ever for a server
that froze. The options here end both.
"""

import json
import re
from collections.abc import Sequence

import grpc
from grpc.experimental import ChannelOptions

from shared.errors import UsageError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.wire import MAX_MESSAGE_BYTES, SERVICE

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
    # One name with many addresses is many replicas.
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


class Service:
    """One target. Its calls raise `grpc.RpcError`."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._channel = grpc.insecure_channel(target, options=OPTIONS)
        self.get_dataset = self._channel.unary_unary(
            f"/{SERVICE}/GetDataset",
            request_serializer=pb.GetDatasetRequest.SerializeToString,
            response_deserializer=pb.GetDatasetResponse.FromString,
        )
        self.get_samples = self._channel.unary_unary(
            f"/{SERVICE}/GetSamples",
            request_serializer=pb.GetSamplesRequest.SerializeToString,
            response_deserializer=pb.GetSamplesResponse.FromString,
        )
        self.stream_batches = self._channel.unary_stream(
            f"/{SERVICE}/StreamBatches",
            request_serializer=pb.StreamBatchesRequest.SerializeToString,
            # The messages stay bytes: `shared.wire` reads them.
            response_deserializer=None,
        )

    def close(self) -> None:
        """Ends all its calls."""
        self._channel.close()
