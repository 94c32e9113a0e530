"""PEM files: what is wrong with one is said in one line that names it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from shared.errors import UsageError
from shared.security.certificates import read_authorities, read_certified_key
from tests.support.certificates import DAY, Office, expired, not_yet_valid, write_pair


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def problem(cert: Path, key: Path) -> str:
    """The same for both sides."""
    messages = set()
    for of_server in (True, False):
        with pytest.raises(UsageError) as caught:
            read_certified_key(cert, key, of_server=of_server)
        messages.add(str(caught.value))
    (line,) = messages
    assert "\n" not in line
    return line


def write_self_signed(
    folder: Path, secret: CertificateIssuerPrivateKeyTypes, digest: SHA256 | None
) -> tuple[Path, Path]:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, secret.public_key(), 1, now - DAY, now + DAY).sign(secret, digest)
    cert, key = folder / "cert", folder / "key"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, key


def test_a_good_pair_is_read_with_its_names_and_its_end(office: Office) -> None:
    pair = read_certified_key(office.cert, office.key, of_server=True)
    assert (pair.key, pair.chain) == (office.key.read_bytes(), office.cert.read_bytes())
    assert pair.names == ("localhost", "127.0.0.1")
    assert pair.expires.endswith("GMT")


def test_a_chain_with_an_authority_between_and_comments_around_it_is_read(tmp_path: Path) -> None:
    between = trustme.CA().create_child_ca()
    cert, key = write_pair(tmp_path, "server", between.issue_cert("localhost"))
    cert.write_bytes("Für den Dienst\n".encode() + cert.read_bytes())
    assert cert.read_bytes().count(b"BEGIN") == 2
    assert read_certified_key(cert, key, of_server=True).names == ("localhost",)


@pytest.mark.parametrize(("make", "reason"), [(expired, "has expired"), (not_yet_valid, "is not yet valid")])
def test_a_certificate_out_of_its_time_is_refused(tmp_path: Path, make: object, reason: str) -> None:
    assert callable(make)
    cert, key = write_pair(tmp_path, "server", make(trustme.CA(), "localhost"))
    assert problem(cert, key) == f"the certificate {cert} cannot be used: certificate {reason}; renew it"


def test_a_key_of_another_certificate_is_refused(office: Office) -> None:
    message = f"the key {office.client_key} does not belong to the certificate {office.cert}"
    assert problem(office.cert, office.client_key).startswith(message)


def test_a_certificate_of_a_key_that_is_too_small_is_refused(tmp_path: Path) -> None:
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505
    cert, key = write_self_signed(tmp_path, small, SHA256())
    assert problem(cert, key).startswith(f"the certificate {cert} cannot be used: ")


@pytest.mark.parametrize("kind", [ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey])
def test_a_key_that_grpc_cannot_use_is_refused(
    tmp_path: Path, kind: type[ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey]
) -> None:
    cert, key = write_self_signed(tmp_path, kind.generate(), None)
    assert problem(cert, key).startswith(f"the key {key} is of {kind.__name__.removesuffix('PrivateKey')}, which gRPC")


@pytest.mark.parametrize("style", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_refused_and_never_asked_for(office: Office, style: PrivateFormat) -> None:
    key = load_pem_private_key(office.key.read_bytes(), None)
    secret = BestAvailableEncryption(b"open sesame")
    office.key.write_bytes(key.private_bytes(Encoding.PEM, style, secret))
    assert f"the key file {office.key} is encrypted" in problem(office.cert, office.key)


@pytest.mark.parametrize("junk", [b"", b"hello", b"\xff\xfe\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"K"])
def test_junk_is_refused_as_certificate_key_and_authority(office: Office, tmp_path: Path, junk: bytes) -> None:
    file = tmp_path / "junk"
    file.write_bytes(office.key.read_bytes() if junk == b"K" else junk)
    with pytest.raises(UsageError, match=f"{file} must hold certificates in PEM"):
        read_authorities(file)
    assert f"{file} must hold certificates in PEM" in problem(file, office.key)
    file.write_bytes(office.cert.read_bytes() if junk == b"K" else junk)
    assert f"{file} must hold a private key in PEM" in problem(office.cert, file)


def test_what_cannot_be_read_is_named(office: Office, tmp_path: Path) -> None:
    assert problem(tmp_path, office.key) == f"cannot read the certificate file {tmp_path}: is a directory"
    missing = tmp_path / "missing"
    assert problem(office.cert, missing) == f"cannot read the key file {missing}: no such file or directory"
    missing.write_bytes(b"x" * (1 << 21))
    assert "must hold at most 1048576 bytes" in problem(office.cert, missing)


def test_a_key_that_everybody_can_read_is_warned_of(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.key.chmod(0o644)
    read_certified_key(office.cert, office.key, of_server=True)
    message = f"every user of this machine can read the key file {office.key}; close it: chmod 600 {office.key}"
    assert caplog.messages == [message]
    office.key.chmod(0o640)
    read_certified_key(office.cert, office.key, of_server=True)
    assert len(caplog.messages) == 1
