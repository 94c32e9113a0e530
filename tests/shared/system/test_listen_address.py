"""Addresses to listen on: taken, or refused in one line that names the option."""

import pytest

from shared.errors import UsageError
from shared.system.listen_address import ListenAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:50051", ListenAddress("127.0.0.1", 50051)),
        ("[::1]:0", ListenAddress("::1", 0)),
        ("localhost:1", ListenAddress("localhost", 1)),
    ],
)
def test_a_loopback_address_is_taken(text: str, expected: ListenAddress) -> None:
    assert ListenAddress.parse(text, insecure=False) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", ":1", "50051", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "a b:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be HOST:PORT.*, got"):
        ListenAddress.parse(text, insecure=True)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"])
def test_off_loopback_must_be_meant(text: str) -> None:
    with pytest.raises(UsageError, match="--insecure"):
        ListenAddress.parse(text, insecure=False)
    assert ListenAddress.parse(text, insecure=True).port == 1


def test_the_option_that_was_wrong_is_named() -> None:
    with pytest.raises(UsageError, match=r"^--metrics-listen must be HOST:PORT"):
        ListenAddress.parse("here", insecure=False, option="--metrics-listen")


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "x" * 64 + ".example"])
def test_a_name_that_cannot_be_is_one_line(host: str) -> None:
    with pytest.raises(UsageError, match=f"cannot listen on {host}:1: a name has labels of 1 to 63 characters"):
        ListenAddress.parse(f"{host}:1", insecure=True).check()


def test_only_the_service_itself_listens_on_a_socket_in_the_file_system() -> None:
    with pytest.raises(UsageError, match="--metrics-listen must be HOST:PORT"):
        ListenAddress.parse("unix:/tmp/x", insecure=False, option="--metrics-listen")
