"""Who is let in over TLS and who is not, at real servers: wrong, foreign and missing certificates."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from datagen_server.service.auth import Authentication, ServerSecurity
from datagen_server.service.health_check import check_health
from shared.client import connect
from shared.errors import Unavailable, UsageError
from shared.protocol.contract import SERVICE
from shared.security.credentials import Security
from tests.datagen_server.processes import wait_until
from tests.datagen_server.service.refusals import refusal
from tests.support.certificates import NAMES, Office, expired, guarded, not_yet_valid, write_pair
from tests.support.services import served


@pytest.fixture(scope="module")
def mutual_target(office: Office) -> Iterator[str]:
    with guarded(office.of_server(mutual=True)) as target:
        yield target


def test_a_reader_with_all_papers_is_served_in_tls(office: Office) -> None:
    with guarded(office.of_server(mutual=True, token=True)) as target:
        with connect(target, security=office.mutual) as client, client.stream("train") as stream:
            assert [batch.step for batch in stream] == list(range(15))
            assert client.samples("train", [7])[0].index == 7
        check_health(target, office.mutual)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (expired, "its TLS certificate has expired"),
        (not_yet_valid, "its TLS certificate is not yet valid"),
        (lambda _, *names: trustme.CA().issue_cert(*names), "its TLS certificate is not signed by an authority"),
        (lambda authority, *_: authority.issue_cert("example.org"), "its TLS certificate is for another host name"),
    ],
)
def test_a_service_with_a_wrong_certificate_is_refused_by_its_readers(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, reason: str
) -> None:
    assert callable(make)
    cert, key = write_pair(tmp_path, "server", make(office.authority, *NAMES))
    # Our service would not start with it; a stranger's would.
    chain = [(key.read_bytes(), cert.read_bytes())]
    monkeypatch.setattr(ServerSecurity, "open", lambda _: Authentication(grpc.ssl_server_credentials(chain), ()))
    with guarded(ServerSecurity(cert=cert, key=key)) as target:
        assert f"({reason}" in refusal(target, office.tls)
        with pytest.raises(Unavailable, match=reason):
            check_health(target, office.tls)


@pytest.mark.parametrize(
    "make",
    [
        expired,
        not_yet_valid,
        lambda _, *names: trustme.CA().issue_cert(*names),
        lambda _, *names: trustme.CA().issue_cert(*names, common_name="reader@test"),
    ],
    ids=["expired", "not yet valid", "of another authority", "with the same name"],
)
def test_a_reader_with_a_wrong_certificate_is_refused(
    office: Office, mutual_target: str, tmp_path: Path, make: object, capfd: pytest.CaptureFixture[str]
) -> None:
    assert callable(make)
    cert, key = write_pair(tmp_path, "client", make(office.authority, "reader@test"))
    # As a stranger would: our reader does not even try with an expired one.
    credentials = grpc.ssl_channel_credentials(office.ca.read_bytes(), key.read_bytes(), cert.read_bytes())
    with grpc.secure_channel(mutual_target, credentials) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in capfd.readouterr().err, "gRPC's line at the server")


def test_a_reader_without_a_certificate_is_refused_and_told_what_may_be_missing(
    office: Office, mutual_target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    advice = "if it requires a client certificate, give --tls-cert and --tls-key"
    assert refusal(mutual_target, office.tls).endswith(advice)
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in capfd.readouterr().err


def test_a_self_signed_reader_is_refused_and_told_whose_signature_is_wanted(
    office: Office, mutual_target: str, tmp_path: Path
) -> None:
    own = Office(tmp_path)
    papers = Security(tls_ca=office.ca, tls_cert=own.client_cert, tls_key=own.client_key)
    assert "is that signed by its --tls-client-ca and still valid?" in refusal(mutual_target, papers)


def test_plain_text_to_tls_and_tls_to_plain_text_are_told_apart(office: Office, mutual_target: str) -> None:
    assert refusal(mutual_target, Security()).endswith("if it requires TLS, give --tls-ca")
    with served() as plain:
        assert "it does not speak TLS; leave out --tls-ca" in refusal(plain, office.tls)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cert"}, "--tls-cert and --tls-key go together"),
        ({"key"}, "--tls-cert and --tls-key go together"),
        ({"client_ca"}, "--tls-client-ca is for TLS"),
    ],
)
def test_half_a_pair_is_refused(office: Office, given: set[str], words: str) -> None:
    files = {"cert": office.cert, "key": office.key, "client_ca": office.ca}
    with pytest.raises(UsageError, match=words):
        ServerSecurity(**{name: files[name] for name in given})
