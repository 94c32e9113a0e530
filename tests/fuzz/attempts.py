"""A decoder that fuzzers try, what counts as a crash of it, and inputs made by damaging a good one."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import StreamingError


@dataclass(frozen=True)
class Target:
    """A decoder; `decode` may raise `StreamingError` and nothing else."""

    decode: Callable[[bytes], object]
    seeds: Sequence[bytes]


MakeTarget = Callable[[Path], Target]
"Makes a target, with a folder of its own to work in."


def attempt(target: Target, data: bytes) -> None:
    """Decodes; whatever comes out but an error that a person can read, in one line, is a crash."""
    try:
        target.decode(data)
    except StreamingError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than one line: {error}") from error


def variants(seed: bytes, num: int) -> Iterator[bytes]:
    """The seed, cut and with flipped bits, the same ones every time."""
    yield seed
    random = np.random.default_rng(int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "little"))
    for number in range(num if seed else 0):
        at = int(random.integers(len(seed)))
        if number % 4 == 0:
            yield seed[:at]
        else:
            yield seed[:at] + bytes([seed[at] ^ 1 << int(random.integers(8))]) + seed[at + 1 :]
