"""What a reader is given to know a service and to prove who it is."""

import argparse
from pathlib import Path

import pytest

from shared.client import connect
from shared.errors import UsageError
from shared.security.credentials import Access, Security, add_security_options, security_of
from tests.support.certificates import TOKEN, Office, expired, write_pair

CA, CERT, KEY, FILE = Path("ca.pem"), Path("own.pem"), Path("own.key"), Path("token")


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_security_options(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    "security",
    [
        Security(),
        Security(tls_ca=CA),
        Security(tls_ca=CA, tls_cert=CERT, tls_key=KEY, token_file=FILE),
        Security(token_file=FILE, insecure=True),
    ],
)
def test_options_say_the_same_again_for_another_process(security: Security) -> None:
    assert security_of(parsed(*security.arguments()), "a:1") == security
    assert Access("a:1", security).arguments() == ["--datagen", "a:1", *security.arguments()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--tls-ca", "c", "--tls-cert", "f"], "--tls-cert and --tls-key go together"),
        (["--tls-ca", "c", "--tls-key", "f"], "--tls-cert and --tls-key go together"),
        (["--tls-cert", "f", "--tls-key", "k"], "give --tls-ca too"),
        (["--insecure"], "with --token-file only"),
        (["--insecure", "--token-file", "f", "--tls-ca", "c"], "without TLS"),
    ],
)
def test_halves_and_contradictions_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        security_of(parsed(*given), "a:1")


@pytest.mark.parametrize("option", ["--tls-ca", "--tls-cert", "--tls-key", "--token-file"])
def test_options_without_a_target_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is for a service that runs elsewhere; give --datagen too"):
        security_of(parsed(option, "f"), None)
    assert security_of(parsed(), None) == Security()


@pytest.mark.parametrize(
    ("target", "is_local"),
    [
        ("127.0.0.1:1", True),
        ("127.3.4.5:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/run/datagen", True),
        ("dns:///localhost:1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", True),
        ("10.0.0.1:1", False),
        ("datagen:1", False),
        ("localhost.example.org:1", False),
        ("127.0.0.1.example.org:1", False),
        ("[::2]:1", False),
        ("dns:///datagen:1", False),
        ("dns://127.0.0.1/datagen:1", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
        ("vsock:2:1", False),
    ],
)
def test_a_token_leaves_this_machine_in_tls_only_unless_that_is_meant(target: str, is_local: bool) -> None:
    for security in (Security(), Security(tls_ca=CA, token_file=FILE), Security(token_file=FILE, insecure=True)):
        security.check_target(target)
    if is_local:
        Security(token_file=FILE).check_target(target)
    else:
        with pytest.raises(UsageError, match=r"would go to .* in plain text"):
            Security(token_file=FILE).check_target(target)


def test_nothing_is_sent_when_a_file_cannot_be_used(tmp_path: Path) -> None:
    office = Office(tmp_path)
    cert, key = write_pair(tmp_path, "old", expired(office.authority, "reader@test"))
    missing = tmp_path / "missing"
    for security, message in (
        (Security(tls_ca=missing), f"cannot read the certificate file {missing}: no such file or directory"),
        (Security(tls_ca=office.ca, tls_cert=cert, tls_key=key), "certificate has expired; renew it"),
        (Security(tls_ca=office.ca, tls_cert=cert, tls_key=office.key), "does not belong to the certificate"),
        (Security(token_file=missing), f"cannot read the token file {missing}"),
    ):
        with pytest.raises(UsageError, match=message):
            connect("127.0.0.1:1", security=security)


def test_a_security_shows_names_of_files_and_never_what_they_hold(tmp_path: Path) -> None:
    office = Office(tmp_path)
    assert TOKEN not in repr(office.mutual) + " ".join(office.mutual.arguments())
