"""Who is let in and who is not, at real servers: certificates, tokens, and both changed while streams run."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import trustme

from datagen_server.service.auth import Authentication, ServerSecurity
from datagen_server.service.health_check import check_health
from shared.client import RetryPolicy, connect
from shared.errors import AccessDenied, Unavailable, UsageError
from shared.protocol.contract import SERVICE
from shared.rpc_errors import reason_in
from shared.security.credentials import Security
from tests.datagen_server.processes import wait_until
from tests.support.certificates import NAMES, TOKEN, Office, expired, guarded, not_yet_valid, write_pair
from tests.support.services import ServiceProcess, served
from tests.support.toys import ToySource

HASTY = RetryPolicy(connect_timeout_s=1.0, read_timeout_s=1.0, give_up_after_s=0.5)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def mutual_target(office: Office) -> Iterator[str]:
    with guarded(office.of_server(mutual=True)) as target:
        yield target


@pytest.fixture(scope="module")
def token_target(office: Office) -> Iterator[str]:
    with guarded(ServerSecurity(token_file=office.token_file)) as target:
        yield target


def refusal(target: str, security: Security) -> str:
    """The one line that a reader gets."""
    with pytest.raises(Unavailable) as caught:
        connect(target, HASTY, security)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
    "metadata",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Bearer "),),
        (("authorization", TOKEN),),
        (("authorization", f"Basic {TOKEN}"),),
        (("authorization", f"Bearer {TOKEN[:-1]}"),),
        (("authorization", f"Bearer {TOKEN}x"),),
        (("authorization", f"Bearer {TOKEN.lower()}"),),
        (("authorization", f"Bearer {TOKEN[::-1]}"),),
        (("authorization", "Bearer " + "a" * 4000),),
        (("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer another")),
        (("authorization-bin", TOKEN.encode()),),
        (("token", TOKEN),),
    ],
)
@pytest.mark.parametrize("method", ["GetDataset", "GetSamples", "StreamBatches", "NoSuchMethod"])
def test_every_call_without_the_token_is_refused_and_logged_without_what_it_brought(
    token_target: str, metadata: tuple[tuple[str, str | bytes], ...], method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with grpc.insecure_channel(token_target) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream(f"/{SERVICE}/{method}", None, None)(b"", metadata=metadata, timeout=20))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    # Streams of earlier tests may still tell of their end.
    wait_until(lambda: any("UNAUTHENTICATED: " in told for told in caplog.messages), "the line in the log")
    (line,) = (told for told in caplog.messages if "UNAUTHENTICATED: " in told)
    assert " of ipv4:127.0.0.1:" in line
    assert "token" in line
    for value in (TOKEN, TOKEN[:-1], TOKEN.lower(), TOKEN[::-1], "a" * 20, "another"):
        assert value not in line
        assert value not in (caught.value.details() or "")


def test_a_reader_with_a_wrong_token_ends_at_once_and_health_needs_none(office: Office, token_target: str) -> None:
    check_health(token_target)
    wrong = Security(token_file=office.token("wrong", TOKEN[:-1] + "~"))
    with pytest.raises(AccessDenied) as caught:
        connect(token_target, RetryPolicy(connect_timeout_s=60), wrong)
    assert str(caught.value) == (
        f"{token_target}: the token is not one of this service's; the Python commands send the one in --token-file"
    )
    assert caught.value.exit_code == 2
    with connect(token_target, security=Security(token_file=office.token_file)) as client:
        assert client.source == "toy"


def test_a_token_is_replaced_while_both_are_taken(tmp_path: Path) -> None:
    office = Office(tmp_path)
    reader = Security(token_file=office.token("reader", TOKEN))
    new = TOKEN[::-1]
    with (
        guarded(ServerSecurity(token_file=office.token_file)) as target,
        connect(target, security=reader) as client,
    ):
        office.token("token", f"{new}\n{TOKEN}\n")
        assert client.samples("train", [1])
        office.token("reader", new)
        assert client.samples("train", [2])
        office.token("token", new)
        assert client.samples("train", [3])
        office.token("reader", TOKEN + "\n")
        with pytest.raises(AccessDenied):
            client.samples("train", [4])


def test_a_broken_token_file_leaves_the_token_before_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    office = Office(tmp_path)
    reader = Security(token_file=office.token("reader", TOKEN))
    with guarded(ServerSecurity(token_file=office.token_file)) as target, connect(target, security=reader) as client:
        for broken in ("", "short", f"{TOKEN} {TOKEN}"):
            office.token("token", broken)
            assert client.samples("train", [1])
        office.token_file.unlink()
        assert client.samples("train", [1])
    lines = [line for line in caplog.messages if "stays in use" in line]
    assert len(lines) == 4
    assert not any(word in line for line in lines for word in ("short", TOKEN))


def test_certificates_are_replaced_under_a_running_stream_and_every_step_comes_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    office, steps = Office(tmp_path), []
    authentication = office.of_server(mutual=True, token=True)
    with guarded(authentication, ToySource(delay_s=0.02)) as target, connect(target, security=office.mutual) as client:
        with client.stream("train", prefetch=1) as stream:
            for batch in stream:
                steps.append(batch.step)
                if batch.step == 2:
                    # Another authority: whoever connects from now on must have read the files again.
                    Office(tmp_path)
            assert steps == list(range(15))
            assert stream.reopened == 0
        with client.stream("train", epoch=1) as stream:
            assert len(list(stream)) == 15
            assert stream.reopened == 0
        before = tmp_path / "before.pem"
        office.authority.cert_pem.write_to_path(before)
        assert "is not signed by an authority" in refusal(target, replace(office.mutual, tls_ca=before))
    assert sum("read again after a change" in line for line in caplog.messages) >= 2


def test_a_half_written_pair_leaves_the_one_before_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    office = Office(tmp_path)
    fresh = office.authority.issue_cert(*NAMES)
    with guarded(office.of_server()) as target:
        office.cert.write_bytes(fresh.cert_chain_pems[0].bytes())
        for _ in range(2):
            with connect(target, security=office.tls):
                pass
        office.key.write_bytes(fresh.private_key_pem.bytes()[:100])
        with connect(target, security=office.tls):
            pass
        kept = [line for line in caplog.messages if "stays in use" in line]
        office.key.write_bytes(fresh.private_key_pem.bytes())
        with connect(target, security=office.tls):
            pass
    assert [line.split("; ")[0] for line in kept] == [
        f"the key {office.key} does not belong to the certificate {office.cert}",
        f"{office.key} must hold a private key in PEM (-----BEGIN PRIVATE KEY-----), and has none",
    ]
    assert any("read again after a change" in line for line in caplog.messages)


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


def test_a_token_stands_in_no_log_no_output_and_no_command_line(office: Office, tmp_path: Path) -> None:
    wrong, log = office.token("near", TOKEN[:-1]), tmp_path / "log"
    files = "--tls-cert", str(office.cert), "--tls-key", str(office.key), "--token-file", str(office.token_file)
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--count", "train=100"
    with log.open("w") as words, ServiceProcess(*serve, *files, "--stop-with-stdin", log=words) as service:
        look = [sys.executable, "-m", "datagen_server", "inspect", "--datagen", service.target, "--split", "test"]
        look += ["--index", "1", "--tls-ca", str(office.ca), "--token-file"]
        for file, code in ((office.token_file, 0), (wrong, 2)):
            done = subprocess.run([*look, str(file)], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == code, done.stderr
            assert TOKEN[:-1] not in done.stdout + done.stderr
            assert done.stderr.count("\n") == (code > 0)
        for process in (service.process.pid, os.getpid()):
            assert TOKEN.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()
            assert TOKEN.encode() not in Path(f"/proc/{process}/environ").read_bytes()
    told = log.read_text()
    assert "UNAUTHENTICATED: the token is not one of this service's" in told
    assert TOKEN[:-1] not in told


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_name_of_the_scheme_is_not_case_sensitive(token_target: str, header: str) -> None:
    metadata = (("authorization", header.format(TOKEN)),)
    with grpc.insecure_channel(token_target) as channel:
        assert channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", metadata=metadata, timeout=20)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ((), "this service wants a token: send the metadata authorization: Bearer TOKEN (RFC 6750)"),
        ((("authorization", TOKEN),), "the scheme that came is none"),
        ((("authorization", f"Basic {TOKEN}"),), "the scheme that came is Basic"),
        ((("authorization", "Bearer x"),), "the token is not one of this service's"),
    ],
)
def test_a_refusal_fits_a_client_in_any_language(
    token_target: str, metadata: tuple[tuple[str, str], ...], words: str
) -> None:
    with grpc.insecure_channel(token_target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", metadata=metadata, timeout=20)
    details = caught.value.details() or ""
    assert details.endswith(words)
    assert "--" not in details
    assert reason_in(caught.value) == "ACCESS_DENIED"
