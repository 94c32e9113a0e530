"""Bearer tokens (RFC 6750) in files: one per line. The service accepts each of them, a reader sends the first.

Several tokens at the service allow one to be replaced without refusing a reader: add the new one there, give it to the
readers, remove the old one. No message here quotes what a file holds.
"""

import re
from pathlib import Path

from shared.errors import UsageError
from shared.security.file_watch import read_secret

HEADER = "authorization"
"The metadata key that carries a token."
SCHEME = "Bearer "
_LENGTHS = range(16, 4097)
# RFC 6750, section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def read_tokens(file: Path) -> tuple[str, ...]:
    """The tokens in `file`, at least one; raises `UsageError` without quoting any of it."""
    text = read_secret(file, "token").decode("ascii", "replace")
    lines = [line.strip() for line in text.splitlines()]
    tokens = tuple(line for line in lines if line)
    if not tokens:
        raise UsageError(f"the token file {file} is empty; write one with: openssl rand -hex 32 > {file}")
    for number, line in enumerate(lines, start=1):
        if line and len(line) not in _LENGTHS:
            bounds = f"{_LENGTHS.start} to {_LENGTHS.stop - 1} characters"
            raise UsageError(f"line {number} of the token file {file} must have {bounds}, got {len(line)}")
        if line and not _TOKEN.fullmatch(line):
            allowed = "letters, digits and -._~+/="
            raise UsageError(f"line {number} of the token file {file} must be one token of {allowed}")
    return tokens
