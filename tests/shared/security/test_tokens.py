"""Token files: what is taken, and messages that quote nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.security.tokens import read_tokens

GOOD = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (GOOD, (GOOD,)),
        (f"{GOOD}\n", (GOOD,)),
        (f"\r\n  {GOOD}\t\r\n\n{GOOD[::-1]}==\n", (GOOD, GOOD[::-1] + "==")),
        ("a" * 4096, ("a" * 4096,)),
    ],
)
def test_each_line_is_a_token(tmp_path: Path, text: str, tokens: tuple[str, ...]) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    assert read_tokens(file) == tokens


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; write one with: openssl rand -hex 32"),
        (" \n\n", "is empty"),
        (GOOD[1:], "line 1 of the token file .* must have 16 to 4096 characters, got 15"),
        (f"{GOOD}\n{'a' * 4097}", "line 2 of the token file .* must have 16 to 4096 characters, got 4097"),
        (f"{GOOD} {GOOD}", "must be one token of letters, digits and"),
        (f"{GOOD}é", "must be one token of letters"),
        (f"{GOOD}\0", "must be one token of letters"),
        (f"==={GOOD}", "must be one token of letters"),
    ],
)
def test_what_is_no_token_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_tokens(file)
    assert GOOD[:15] not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_tokens_or_one_line_that_quotes_none(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(data)
    file.chmod(0o600)
    try:
        tokens = read_tokens(file)
    except UsageError as error:
        assert str(error).isprintable()
        assert not any(len(word) > 8 and word in str(error) for word in data.decode("ascii", "ignore").split())
    else:
        assert all(token.isascii() and token.isprintable() and len(token) >= 16 for token in tokens)
