"""Authentication: the service's TLS certificate, its callers' certificates, and the check of bearer tokens.

Note: a health check needs no token, so that a container's probe needs no secret. Where client certificates are
required, it needs one too, because the handshake comes first. When a handshake fails, gRPC itself prints a line with
the reason on standard error; nothing here is called.
"""

import hashlib
import hmac
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from datagen_server.service.monitoring.logs import refuse
from shared.errors import AccessDenied, UsageError
from shared.security.certificates import CertifiedKey, read_authorities, read_certified_key
from shared.security.file_watch import WatchedFiles
from shared.security.tokens import HEADER, SCHEME, read_tokens

_LOG = logging.getLogger(__name__)
_OTHER_SCHEMES = "basic", "digest", "negotiate", "token"
_HEALTH = "/grpc.health.v1.Health/"


@dataclass(frozen=True, kw_only=True)
class ServerSecurity:
    """The files that `serve` was given; by default none: plain text, for any caller."""

    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    "Callers must show a certificate that one of these signed."
    token_file: Path | None = None
    "Callers must send one of these tokens."

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise UsageError("--tls-cert and --tls-key go together; give both or neither")
        if self.client_ca is not None and self.cert is None:
            raise UsageError("--tls-client-ca is for TLS; give --tls-cert and --tls-key too")

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.cert is not None

    def open(self) -> "Authentication":
        """Raises `UsageError` when the files cannot be used now; when they cannot be used later, that is logged."""
        checks = [] if self.token_file is None else [TokenCheck(self.token_file)]
        if self.cert is None or self.key is None:
            return Authentication(grpc.insecure_server_credentials(), checks)
        certificate = _Certificate(self.cert, self.key, self.client_ca)
        return Authentication(certificate.credentials(), checks, certificate.expiry_s)


class _Certificate:
    """The certificate that the service presents, renewed when its files change."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._client_ca, self._expiry_s = client_ca, 0.0
        files = [file for file in (cert, key, client_ca) if file is not None]
        read = partial(read_certified_key, cert, key, of_server=True)
        self._watched = WatchedFiles(files, lambda: self._configuration(read()))

    def expiry_s(self) -> float:
        """When the certificate in use expires, in seconds since 1970."""
        self._watched.current()
        return self._expiry_s

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC needs for a port."""
        watched = self._watched
        # The same object until the files change: gRPC asks at every handshake and switches when it gets another one.
        return grpc.dynamic_ssl_server_credentials(
            watched.current(), watched.current, require_client_authentication=self._client_ca is not None
        )

    def _configuration(self, pair: CertifiedKey) -> grpc.ServerCertificateConfiguration:
        authorities = None if self._client_ca is None else read_authorities(self._client_ca)
        callers = "anyone" if authorities is None else f"callers with a certificate of {self._client_ca}"
        self._expiry_s = float(ssl.cert_time_to_seconds(pair.expires))
        _LOG.info("TLS for %s, valid until %s, to %s", ", ".join(pair.names), pair.expires, callers)
        return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)], authorities)


@dataclass(frozen=True)
class Authentication:
    """What a gRPC server needs: credentials for its port, and interceptors that check each call."""

    credentials: grpc.ServerCredentials
    checks: Sequence["TokenCheck"]
    certificate_expiry_s: Callable[[], float] | None = None
    "When the TLS certificate in use expires, in seconds since 1970; None: plain text."


class TokenCheck(grpc.ServerInterceptor):  # type: ignore[type-arg]
    """Ends every call but those for health with UNAUTHENTICATED, unless it carries one of the tokens of a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._digests = WatchedFiles([file], lambda: [_digest(token) for token in read_tokens(file)])

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "grpc.RpcMethodHandler[Any, Any] | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """gRPC asks this before each call."""
        method, metadata = str(handler_call_details.method), handler_call_details.invocation_metadata
        given = [value for key, value in metadata if key == HEADER]
        if method.startswith(_HEALTH) or (problem := self._problem(given)) is None:
            return continuation(handler_call_details)
        return _refusal(AccessDenied(problem))

    def _problem(self, given: list[str | bytes]) -> str | None:
        """In words that fit any client, in whatever language it is written."""
        if not given:
            return f"this service wants a token: send the metadata {HEADER}: Bearer TOKEN (RFC 6750)"
        if len(given) > 1:
            return f"the token must come once, as {HEADER}; got it {len(given)} times"
        scheme, _, token = str(given[0]).partition(" ")
        if scheme.lower() != SCHEME.strip().lower():
            # A token without its scheme would be in the log if it were quoted.
            named = scheme if scheme.lower() in _OTHER_SCHEMES else "none"
            return f"the token must come as {HEADER}: Bearer TOKEN (RFC 6750); the scheme that came is {named}"
        digest = _digest(token.strip())
        # All of them, whichever fits: how long this takes tells nothing.
        fits = [hmac.compare_digest(digest, known) for known in self._digests.current()]
        return None if any(fits) else "the token is not one of this service's"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _refusal(error: AccessDenied) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(lambda _, context: refuse(error, context))
