"""Who is let in by a token and who is not, at real servers, and that a token is told to nobody."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from datagen_server.service.auth import ServerSecurity
from datagen_server.service.health_check import check_health
from shared.client import RetryPolicy, connect
from shared.errors import AccessDenied
from shared.protocol.contract import SERVICE
from shared.rpc_errors import reason_in
from shared.security.credentials import Security
from tests.datagen_server.processes import wait_until
from tests.support.certificates import TOKEN, Office, guarded
from tests.support.services import ServiceProcess


@pytest.fixture(scope="module")
def token_target(office: Office) -> Iterator[str]:
    with guarded(ServerSecurity(token_file=office.token_file)) as target:
        yield target


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
