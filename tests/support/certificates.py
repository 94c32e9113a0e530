"""Authorities, certificates and tokens for tests, and services that want them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from datagen_server.service.auth import ServerSecurity
from datagen_server.service.server import DatasetServer
from datagen_server.sources.sample_source import SampleSource
from shared.security.credentials import Security
from shared.system.listen_address import ListenAddress
from tests.support.toys import ToySource

TOKEN = "kA3-test-token_of.32~characters+"  # noqa: S105 - of nothing but these tests
NAMES = "localhost", "127.0.0.1"
DAY = timedelta(days=1)


def write_pair(folder: Path, name: str, cert: trustme.LeafCert) -> tuple[Path, Path]:
    """Writes NAME.pem and NAME.key, the key first, each complete from the moment that it is there."""
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    chain = b"".join(blob.bytes() for blob in cert.cert_chain_pems)
    for path, data in ((paths[1], cert.private_key_pem.bytes()), (paths[0], chain)):
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(data)
        fresh.replace(path)
    return paths


def expired(authority: trustme.CA, *names: str) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return authority.issue_cert(*names, not_before=now - 9 * DAY, not_after=now - DAY)


def not_yet_valid(authority: trustme.CA, *names: str) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return authority.issue_cert(*names, not_before=now + DAY, not_after=now + 9 * DAY)


class Office:
    """A folder with one authority's certificates: ca.pem, server.*, client.*, and a token."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.authority = folder, trustme.CA()
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.cert, self.key = write_pair(folder, "server", self.authority.issue_cert(*NAMES))
        self.client_cert, self.client_key = write_pair(folder, "client", self.authority.issue_cert("reader@test"))
        self.token_file = self.token("token", TOKEN)

    def token(self, name: str, text: str) -> Path:
        """Writes a token file."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def of_server(self, *, mutual: bool = False, token: bool = False) -> ServerSecurity:
        """What `serve` is given."""
        client_ca = self.ca if mutual else None
        token_file = self.token_file if token else None
        return ServerSecurity(cert=self.cert, key=self.key, client_ca=client_ca, token_file=token_file)

    @property
    def tls(self) -> Security:
        """A reader's, without a certificate of its own."""
        return Security(tls_ca=self.ca)

    @property
    def mutual(self) -> Security:
        """A reader's, with a certificate and the token."""
        return Security(tls_ca=self.ca, tls_cert=self.client_cert, tls_key=self.client_key, token_file=self.token_file)


@contextmanager
def guarded(security: ServerSecurity, source: SampleSource | None = None) -> Iterator[str]:
    """Yields the target of a guarded server in this process, by default over the toy data set."""
    source = source or ToySource()
    try:
        with DatasetServer(source, ListenAddress("127.0.0.1", 0), 16, security.open()) as server:
            yield str(server.listen)
            server.drain(0.2)
    finally:
        source.close()
