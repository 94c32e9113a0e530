"""How a client authenticates the service, and itself: the options of every command with a target.

    --tls-ca F                    use TLS; the service's certificate must be signed by an authority in F
    --tls-cert F --tls-key F      present this certificate to a service that requires one (mutual TLS)
    --token-file F                send the token in F, over TLS or within this machine

A token is never on a command line, in a log or in a run's files; only the name of its file is. What the files hold is
read in `channel_credentials.py`.
"""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

from shared.errors import UsageError
from shared.system.listen_address import is_loopback

_CONNECTION_LOST = "socket closed", "connection reset", "broken pipe"


@dataclass(frozen=True, kw_only=True)
class Security:
    """What a client was given; by default nothing: plain text, no token. Raises `UsageError` for half of a pair."""

    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None
    insecure: bool = False
    "Send the token even in plain text to another machine."

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("--tls-cert and --tls-key go together; give both or neither")
        if self.tls_cert is not None and self.tls_ca is None:
            raise UsageError("--tls-cert is for TLS; give --tls-ca too, the authority of the service's certificate")
        if self.insecure and (self.token_file is None or self.tls_ca is not None):
            raise UsageError("--insecure lets a token travel in plain text; without TLS and with --token-file only")

    def arguments(self) -> list[str]:
        """The options that say the same, for a process to start; names of files, never what they hold."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name)}
        pairs = [[_option(name)] if value is True else [_option(name), str(value)] for name, value in given.items()]
        return [word for pair in pairs for word in pair]

    def check_target(self, target: str) -> None:
        """Raises `UsageError` where a token would leave this machine in plain text."""
        if self.token_file is None or self.tls_ca is not None or self.insecure or _is_local(target):
            return
        problem = f"the token would go to {target} in plain text, for anyone on the way to read"
        raise UsageError(f"{problem}; give --tls-ca, or add --insecure if that is meant")

    def tls_hint(self, reason: str) -> str:
        """What may be wrong with TLS when a service closes connections without saying why, to append to a message.

        reason: as `reason_of` gives it; the hint is empty for other reasons.
        """
        if not any(text in reason for text in _CONNECTION_LOST):
            return ""
        if self.tls_ca is None:
            return "; if it requires TLS, give --tls-ca"
        if self.tls_cert is None:
            return "; if it requires a client certificate, give --tls-cert and --tls-key"
        return f"; it may have refused {self.tls_cert}: is that signed by its --tls-client-ca and still valid?"


PLAIN = Security()
"Plain text, without a token."


@dataclass(frozen=True)
class Access:
    """A target, and what is needed to connect to it."""

    target: str
    security: Security = PLAIN

    def arguments(self) -> list[str]:
        """`--datagen` and the options of this module, for a process to start."""
        return ["--datagen", self.target, *self.security.arguments()]


def add_security_options(parser: argparse.ArgumentParser) -> None:
    """The options of this module, for a command that takes a target."""
    group = parser.add_argument_group("security, of a service that runs elsewhere")
    group.add_argument("--tls-ca", type=Path, metavar="F", help="use TLS; authorities (PEM) of its certificate")
    group.add_argument("--tls-cert", type=Path, metavar="F", help="certificate (PEM) to present, if it requires one")
    group.add_argument("--tls-key", type=Path, metavar="F", help="key (PEM) of --tls-cert")
    group.add_argument("--token-file", type=Path, metavar="F", help="the token to send it, over TLS or loopback only")
    group.add_argument("--insecure", action="store_true", help="send the token in plain text to another machine")


def security_of(options: argparse.Namespace, target: str | None) -> Security:
    """What was given; raises `UsageError` for options that make no sense, such as a token without a target."""
    given = {field.name: getattr(options, field.name) for field in fields(Security)}
    if target is None and (named := [_option(name) for name, value in given.items() if value]):
        raise UsageError(f"{named[0]} is for a service that runs elsewhere; give --datagen too")
    return Security(**given)


def _is_local(target: str) -> bool:
    scheme, colon, rest = target.partition(":")
    if scheme in ("unix", "unix-abstract"):
        return True
    addresses = rest if colon and scheme in ("dns", "ipv4", "ipv6") else target
    hosts = [address.rpartition(":")[0].strip("[]") for address in addresses.removeprefix("///").split(",")]
    return all(map(is_loopback, hosts))


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
