"""A TCP proxy between readers and a service that does to a live connection what networks do: toxiproxy's faults.

    with Proxy(service.target) as proxy: ...   proxy.target is what readers are given
    proxy.fault = Latency(0.1)                 from the next bytes on; None heals

A fault sees each piece of bytes on its way, `toward_reader` or not, and passes it on as it likes. Note: a
connection that was cut, reset or swallowed stays broken when the proxy is healed; new ones are as good as new.
"""

import random
import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

_PIECE_BYTES = 64 << 10
_RESET = struct.pack("ii", 1, 0)


class Broken(Exception):
    """This connection has been ended on purpose."""


class Fault(Protocol):
    """Something that happens to bytes on their way."""

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        """Sends `piece` on, in its own way; raises `Broken` when the connection has had its day."""
        ...


class Latency:
    """Every piece comes late, some more than others."""

    def __init__(self, delay_s: float, jitter_s: float) -> None:
        self._delay_s, self._jitter_s = delay_s, jitter_s

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        time.sleep(self._delay_s + random.random() * self._jitter_s)
        to.sendall(piece)


class Bandwidth:
    """So many bytes a second and no more."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        time.sleep(len(piece) / self._bytes_per_s)
        to.sendall(piece)


class Slicer:
    """Bytes come in tiny segments, each alone."""

    def __init__(self, size: int, delay_s: float) -> None:
        self._size, self._delay_s = size, delay_s

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        for start in range(0, len(piece), self._size):
            to.sendall(piece[start : start + self._size])
            time.sleep(self._delay_s)


class Cut:
    """The connection is closed in the middle of a message, in good order."""

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        to.sendall(piece[: len(piece) // 2])
        raise Broken


class Reset:
    """The connection is reset (RST) in the middle of a message."""

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        to.sendall(piece[: len(piece) // 2])
        to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        raise Broken


class HalfClose:
    """One direction ends, the other stays open and is swallowed."""

    def __init__(self, *, toward_reader: bool) -> None:
        self._toward_reader = toward_reader

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        if toward_reader == self._toward_reader:
            with suppress(OSError):
                to.shutdown(socket.SHUT_WR)


class Blackhole:
    """Connections are accepted and nothing ever comes through; nobody is told."""

    def __call__(self, piece: bytes, to: socket.socket, *, toward_reader: bool) -> None:
        """Swallows."""


class Proxy:
    """Passes bytes between readers and `upstream`, HOST:PORT, as `fault` will have it."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = set()
        self.fault: Fault | None = None
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for one in (self._listener, *tuple(self._sockets)):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._connect(self._listener.accept()[0])

    def _connect(self, reader: socket.socket) -> None:
        try:
            service = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            reader.close()
            return
        service.settimeout(None)
        for one in (reader, service):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets |= {reader, service}
        # What a swallowed connection still says must stay unheard when the proxy is healed.
        lost = threading.Event()
        for source, to, toward_reader in ((service, reader, True), (reader, service, False)):
            threading.Thread(target=self._pump, args=(source, to, toward_reader, lost), daemon=True).start()

    def _pump(self, source: socket.socket, to: socket.socket, toward_reader: bool, lost: threading.Event) -> None:
        try:
            while piece := source.recv(_PIECE_BYTES):
                fault = self.fault
                if isinstance(fault, Blackhole | HalfClose):
                    lost.set()
                if fault is not None:
                    fault(piece, to, toward_reader=toward_reader)
                elif not lost.is_set():
                    to.sendall(piece)
        except (OSError, Broken):
            pass
        finally:
            # shutdown wakes the other pump, which may sit in recv; close alone would not.
            for one in (to, source):
                with suppress(OSError):
                    if not isinstance(self.fault, Reset):
                        one.shutdown(socket.SHUT_RDWR)
                one.close()
                self._sockets.discard(one)
