"""Addresses to listen on: checked before anything else starts, and not reachable from other machines by mistake."""

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from shared.errors import UsageError

_UNIX = "unix:"


@dataclass(frozen=True)
class ListenAddress:
    """An address to listen on, and the option that asked for it."""

    host: str
    "A name or an address; or unix:PATH, a socket in the file system."
    port: int
    "0 with a socket in the file system."
    option: str = field(default="--listen", compare=False)

    @classmethod
    def parse(cls, text: str, *, insecure: bool, option: str = "--listen", insecure_option: str = "--insecure") -> Self:
        """HOST:PORT, port 0 for any, or unix:PATH for --listen; raises `UsageError` for others.

        Beyond loopback only if `insecure`.

        option, insecure_option: what the user gave `text` and `insecure` with, for messages.
        """
        if text.startswith(_UNIX) and option == "--listen":
            return cls(text, 0, option)
        match = re.fullmatch(r"(\[[^\]]+\]|[^:\s]+):(\d{1,5})", text)
        if not match or int(match[2]) > 65535:
            raise UsageError(f"{option} must be HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051, got {text!r}")
        listen = cls(match[1].strip("[]"), int(match[2]), option)
        if not insecure and not is_loopback(listen.host):
            problem = f"{text} can be reached from other machines, in plain text and by anyone"
            certificate = "give --tls-cert and --tls-key, " if option == "--listen" else ""
            raise UsageError(f"{problem}; {certificate}listen on 127.0.0.1, or add {insecure_option} if that is meant")
        return listen

    def check(self) -> None:
        """Raises `UsageError`, with the reason, when it is impossible to listen there; gRPC's own error has none."""
        self.bind().close()

    def bind(self) -> socket.socket:
        """A socket bound to this address; raises `UsageError` when that is impossible."""
        if self.is_unix:
            return self._bind_unix()
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(family, kind, protocol)
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind(address)
            except OSError:
                bound.close()
                raise
            return bound
        except UnicodeError as error:  # What IDNA, the encoding of names, cannot hold.
            raise self._error("a name has labels of 1 to 63 characters between its dots") from error
        except OSError as error:
            raise self._error((error.strerror or str(error)).lower()) from error

    def _bind_unix(self) -> socket.socket:
        """Takes the place of a socket whose process has gone; gRPC would take that of a living one too."""
        path = self.host.removeprefix(_UNIX)
        bound = socket.socket(socket.AF_UNIX)
        try:
            if Path(path).is_socket() and bound.connect_ex(path) != 0:
                Path(path).unlink()
            bound.close()
            bound = socket.socket(socket.AF_UNIX)
            bound.bind(path)
            Path(path).unlink()
            return bound
        except OSError as error:  # A path that is too long has no strerror.
            bound.close()
            raise self._error((error.strerror or str(error)).lower()) from error

    def _error(self, reason: str) -> UsageError:
        return UsageError(f"cannot listen on {self}: {reason}; choose another {self.option}")

    @property
    def is_unix(self) -> bool:
        """Whether it is a socket in the file system."""
        return self.host.startswith(_UNIX)

    def __str__(self) -> str:
        if self.is_unix:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, seen from itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
