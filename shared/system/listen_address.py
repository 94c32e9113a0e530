"""Addresses to listen on: checked before anything else starts, and not reachable from other machines by mistake."""

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import Self

from shared.errors import UsageError


@dataclass(frozen=True)
class ListenAddress:
    """An address to listen on, and the option that asked for it."""

    host: str
    port: int
    option: str = field(default="--listen", compare=False)

    @classmethod
    def parse(cls, text: str, *, insecure: bool, option: str = "--listen", insecure_option: str = "--insecure") -> Self:
        """HOST:PORT, port 0 for any; raises `UsageError` for others, and for those beyond loopback unless `insecure`.

        option, insecure_option: what the user gave `text` and `insecure` with, for messages.
        """
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
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"cannot listen on {self}: {reason}; choose another {self.option}") from error

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, seen from itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
