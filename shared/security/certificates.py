"""PEM files of TLS, read and checked before gRPC gets them, because gRPC says neither which file is wrong nor why.

OpenSSL itself decides whether a certificate is valid now: in a handshake in memory one side presents it, and the other
side trusts nothing else.
"""

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UsageError
from shared.security.file_watch import read_secret, read_small

_EDWARDS = {bytes.fromhex("06032b6570"): "Ed25519", bytes.fromhex("06032b6571"): "Ed448"}


@dataclass(frozen=True)
class CertifiedKey:
    """A private key and its certificate, with the chain of certificates up to its authority."""

    key: bytes
    chain: bytes
    expires: str
    "As OpenSSL writes it: 'Jan  1 00:00:00 2027 GMT'."
    names: tuple[str, ...]
    "Host names and addresses it is for."


def read_certified_key(cert: Path, key: Path, *, of_server: bool) -> CertifiedKey:
    """What `cert` and `key` hold; of_server: whether a server presents it, or a client.

    Raises `UsageError`, naming the file: unreadable, not PEM, encrypted, not belonging together, not valid now.
    """
    chain, secret = read_authorities(cert), read_secret(key, "key")
    if b"ENCRYPTED" in secret:
        problem = f"the key file {key} is encrypted, and there is no way to enter its passphrase"
        raise UsageError(f"{problem}; decrypt it with: openssl pkey -in {key} -out KEY")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    for context in (server, client):
        context.verify_mode = ssl.CERT_NONE
        _load(context, cert, key)
    if curve := _curve_of_edwards(secret):
        problem = f"the key {key} is of {curve}, which gRPC's TLS does not support"
        raise UsageError(f"{problem}; make one of P-256 (openssl ecparam -name prime256v1 -genkey) or RSA")
    facts = _handshake(cert, chain, server, client, of_server=of_server)
    names = tuple(value for _, value in facts.get("subjectAltName", ()))
    return CertifiedKey(secret, chain, str(facts["notAfter"]), names)


def read_authorities(file: Path) -> bytes:
    """The certificates in `file`, at least one; raises `UsageError` for anything else."""
    data = read_small(file, "certificate")
    try:
        # Comments between certificates may be in any language.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(f"{file} must hold certificates in PEM (-----BEGIN CERTIFICATE-----), and has none") from error
    return data


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        context.load_cert_chain(cert, key, password=lambda: "")
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else None
        if reason == "KEY_VALUES_MISMATCH":
            problem = f"the key {key} does not belong to the certificate {cert}"
            raise UsageError(f"{problem}; give the two that were made together") from error
        if reason is not None:
            raise _unusable(cert, reason) from error
        raise UsageError(f"{key} must hold a private key in PEM (-----BEGIN PRIVATE KEY-----), and has none") from error


def _curve_of_edwards(secret: bytes) -> str:
    """'Ed25519' or 'Ed448' for a key on these curves, else ''. They are always PKCS #8, in the DER of RFC 8410."""
    _, _, body = secret.partition(b"-----BEGIN PRIVATE KEY-----")
    algorithm = base64.b64decode(b"".join(body.split())[:40])[:16]
    return next((name for oid, name in _EDWARDS.items() if oid in algorithm), "")


def _handshake(
    cert: Path, chain: bytes, server: ssl.SSLContext, client: ssl.SSLContext, *, of_server: bool
) -> dict[str, Any]:
    """What the other side reads in the certificate when its holder presents it."""
    verifier = client if of_server else server
    verifier.verify_mode = ssl.CERT_REQUIRED
    verifier.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    verifier.load_verify_locations(cadata=chain.decode("ascii", "ignore"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    try:
        for side in sides * 2:
            _continue_handshake(side)
    except ssl.SSLCertVerificationError as error:
        raise UsageError(f"the certificate {cert} cannot be used: {error.verify_message}; renew it") from error
    except ssl.SSLError as error:
        raise _unusable(cert, error.reason) from error
    return sides[0 if of_server else 1].getpeercert() or {}


def _unusable(cert: Path, reason: str) -> UsageError:
    text = reason.lower().replace("_", " ")
    return UsageError(f"the certificate {cert} cannot be used: {text}; make another")


def _continue_handshake(side: ssl.SSLObject) -> None:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return
