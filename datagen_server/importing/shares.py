"""Which split a picture belongs to where nobody says: decided by its pixels alone.

So the same picture is in the same split on every machine, in any company, under any name, whatever is added later.
"""

from dataclasses import dataclass
from hashlib import blake2b

from shared.errors import UsageError

TRAIN, VALID, TEST = "train", "valid", "test"
DEFAULT_SHARE = 0.1
_KEYED = blake2b(digest_size=8, key=b"captcha import: split of a picture")


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much of the pictures becomes valid and test; the rest is train. Checks itself; raises `UsageError`."""

    valid: float = DEFAULT_SHARE
    test: float = DEFAULT_SHARE

    def __post_init__(self) -> None:
        for name, share in ((VALID, self.valid), (TEST, self.test)):
            if not 0 <= share < 1:
                raise UsageError(f"--{name}-share must be from 0 to less than 1, got {share}")
        if self.valid + self.test >= 1:
            raise UsageError(f"--valid-share and --test-share must leave some for train, got {self.valid + self.test}")

    def split_of(self, content: bytes) -> str:
        """train, valid or test for a picture with these pixels; content: their digest."""
        digest = _KEYED.copy()  # Two thirds of the time that one with a key takes to make.
        digest.update(content)
        draw = int.from_bytes(digest.digest(), "big") / 2**64
        if draw < self.test:
            return TEST
        return VALID if draw < self.test + self.valid else TRAIN
