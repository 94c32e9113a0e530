"""Addresses to listen on: taken, or refused in one line that names the option."""

import pytest

from shared.errors import UsageError
from shared.listen import Listen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:50051", Listen("127.0.0.1", 50051)),
        ("[::1]:0", Listen("::1", 0)),
        ("localhost:1", Listen("localhost", 1)),
    ],
)
def test_a_loopback_address_is_taken(text: str, expected: Listen) -> None:
    assert Listen.parse(text, insecure=False) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", ":1", "50051", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "a b:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be HOST:PORT.*, got"):
        Listen.parse(text, insecure=True)


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"])
def test_off_loopback_must_be_meant(text: str) -> None:
    with pytest.raises(UsageError, match="--insecure"):
        Listen.parse(text, insecure=False)
    assert Listen.parse(text, insecure=True).port == 1


def test_the_option_that_was_wrong_is_named() -> None:
    with pytest.raises(UsageError, match=r"^--metrics-listen must be HOST:PORT"):
        Listen.parse("here", insecure=False, option="--metrics-listen")
