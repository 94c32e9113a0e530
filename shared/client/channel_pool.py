"""The channels of one target: a new one when certificates have changed, or when its name should be looked up again.

gRPC looks a name up when it connects and not again while all goes well, so new replicas behind it would get no stream
for up to an hour. Channels to the same address share their connections, so another one costs a look-up and no more.
A channel that has been replaced is closed when the last call over it has ended.
"""

import ipaddress
import threading
import time
from collections.abc import Callable

import grpc

from shared.client.channel import open_channel
from shared.security.channel_credentials import Credentials

_RESOLVE_AFTER_S = 10.0


class Lease:
    """The use of a channel by one call, until `end`."""

    def __init__(self, channel: grpc.Channel, end: Callable[[], None]) -> None:
        self.channel, self.end = channel, end


class ChannelPool:
    """Safe to use from many threads."""

    def __init__(self, target: str, credentials: Credentials) -> None:
        self._target, self._credentials = target, credentials
        self._has_name = _has_name(target)
        self._lock = threading.Lock()
        self._num_calls: dict[grpc.Channel, int] = {}
        self._open()

    def lease(self) -> Lease:
        """The channel for a new call."""
        with self._lock:
            is_old = self._has_name and time.monotonic() > self._opened_s + _RESOLVE_AFTER_S
            if is_old or self._credentials.of_channel() is not self._made_of:
                self._open()
            channel = self._current
            self._num_calls[channel] += 1
        return Lease(channel, lambda: self._end(channel))

    def close(self) -> None:
        """Ends all calls."""
        with self._lock:
            channels = list(self._num_calls)
        for channel in channels:
            channel.close()

    def _open(self) -> None:
        self._made_of, self._opened_s = self._credentials.of_channel(), time.monotonic()
        self._current = open_channel(self._target, self._made_of)
        idle = [channel for channel, num_calls in self._num_calls.items() if not num_calls]
        self._num_calls[self._current] = 0
        for channel in idle:
            del self._num_calls[channel]
            channel.close()

    def _end(self, channel: grpc.Channel) -> None:
        with self._lock:
            self._num_calls[channel] -= 1


def _has_name(target: str) -> bool:
    """Whether its addresses may change."""
    scheme, _, rest = target.partition(":")
    if scheme in ("ipv4", "ipv6", "unix", "unix-abstract", "vsock"):
        return False
    host = (rest if scheme in ("dns", "xds") else target).rpartition("/")[2].rpartition(":")[0].strip("[]")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False
