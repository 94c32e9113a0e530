"""How a client reaches services: its targets, and the options of the channels to them.

By default gRPC sends loopback calls to an HTTP proxy, and waits for ever for a server that froze. The options here
change both.
"""

import json
import re
import socket
from collections.abc import Sequence

import grpc
from grpc.experimental import ChannelOptions

from shared.errors import UsageError
from shared.protocol.contract import MAX_MESSAGE_BYTES

_URI = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_ADDRESS_LIST = re.compile(r"ipv[46]:")
_DNS_PORT = re.compile(r":\d{1,5}$")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\s:/,]+):(\d{1,5})")

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
        if part.startswith("dns:") and not _DNS_PORT.search(part):
            raise UsageError(f"{part} names no port, and gRPC would take 443; give one, as in {part}:50051")
    return parts


def open_channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """A channel in TLS, or without credentials in plain text."""
    if credentials is None:
        return grpc.insecure_channel(target, options=OPTIONS)
    return grpc.secure_channel(target, credentials, options=OPTIONS)


def accepts_connections(target: str) -> bool:
    """Whether something listens at one of the addresses of HOST:PORT; False for other targets."""
    if (address := _HOST_PORT.fullmatch(target)) is None:
        return False
    try:
        socket.create_connection((address[1].strip("[]"), int(address[2])), timeout=1).close()
    except (OSError, UnicodeError):
        return False
    return True
