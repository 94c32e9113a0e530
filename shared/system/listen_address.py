"""Where a server of ours listens: checked before anything else starts, and never open to strangers by mistake."""

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
    def parse(cls, text: str, *, insecure: bool, option: str = "--listen", consent: str = "--insecure") -> Self:
        """HOST:PORT, port 0 for any; raises `UsageError` for others, and off loopback unless `insecure`.

        consent: the option that says so.
        """
        match = re.fullmatch(r"(\[[^\]]+\]|[^:\s]+):(\d{1,5})", text)
        if not match or int(match[2]) > 65535:
            raise UsageError(f"{option} must be HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051, got {text!r}")
        listen = cls(match[1].strip("[]"), int(match[2]), option)
        if not insecure and not is_loopback(listen.host):
            problem = f"{text} can be reached from other machines, in plain text and by anyone"
            certificate = "give --tls-cert and --tls-key, " if option == "--listen" else ""
            raise UsageError(f"{problem}; {certificate}listen on 127.0.0.1, or add {consent} if that is meant")
        return listen

    def check(self) -> None:
        """Raises `UsageError` when nobody could listen there; gRPC itself says neither which nor why."""
        self.bind().close()

    def bind(self) -> socket.socket:
        """A socket with this address; raises `UsageError` when nobody could listen there."""
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
    """Whether only this machine can be meant."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
