"""Credentials of a client, as gRPC takes them.

The files are read again when they have changed, so a client that runs for days uses renewed certificates.
"""

import grpc

from shared.security.certificates import read_authorities, read_certified_key
from shared.security.credentials import PLAIN, Security
from shared.security.file_watch import WatchedFiles
from shared.security.tokens import HEADER, SCHEME, read_tokens


class Credentials:
    """What the files of a `Security` hold now. Raises `UsageError` when they cannot be used; later logs that."""

    def __init__(self, security: Security) -> None:
        self.security = security
        files = [file for file in (security.tls_ca, security.tls_cert, security.tls_key) if file is not None]
        self._channel = WatchedFiles(files, self._read_channel)
        token_file = security.token_file
        self._token = None if token_file is None else WatchedFiles([token_file], lambda: read_tokens(token_file)[0])

    def of_channel(self) -> grpc.ChannelCredentials | None:
        """None for plain text; another object once the files have changed."""
        return self._channel.current()

    def of_call(self) -> tuple[tuple[str, str], ...]:
        """The metadata to send with each call."""
        return () if self._token is None else ((HEADER, SCHEME + self._token.current()),)

    def _read_channel(self) -> grpc.ChannelCredentials | None:
        given = self.security
        if given.tls_ca is None:
            return None
        authorities = read_authorities(given.tls_ca)
        if given.tls_cert is None or given.tls_key is None:
            return grpc.ssl_channel_credentials(authorities)
        own = read_certified_key(given.tls_cert, given.tls_key, of_server=False)
        return grpc.ssl_channel_credentials(authorities, own.key, own.chain)


ANONYMOUS = Credentials(PLAIN)
"No certificate and no token."
