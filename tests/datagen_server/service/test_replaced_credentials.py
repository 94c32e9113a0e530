"""Certificates and tokens that change while a service runs: the new ones hold, broken ones do not."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from datagen_server.service.auth import ServerSecurity
from shared.client import connect
from shared.errors import AccessDenied
from shared.security.credentials import Security
from tests.datagen_server.service.refusals import refusal
from tests.support.certificates import NAMES, TOKEN, Office, guarded
from tests.support.toys import ToySource


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
