"""The only place where randomness is derived: from (seed, split, index) for samples, from (seed, epoch) for orders,
from (seed, epoch, index) for augmentation.

A seed is never added to an index. Every purpose has its own tag inside a keyed hash (BLAKE2b, RFC 7693), so no pair of
seeds makes two splits, or a sample and an order, share a stream.

Only what CPython guarantees for ever is used: `random.Random(int).random()` (the reproducibility note of the `random`
documentation). All integers are drawn from that one method.
"""

import hashlib
import random
import struct
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


def _digest(purpose: bytes, *parts: bytes, size: int) -> bytes:
    hasher = hashlib.blake2b(digest_size=size, person=purpose)
    for part in parts:
        hasher.update(struct.pack("<Q", len(part)))
        hasher.update(part)
    return hasher.digest()


def sample_key(seed: int, split: str, index: int) -> int:
    """256 bits that belong to one sample alone."""
    parts = struct.pack("<Q", seed), split.encode(), struct.pack("<Q", index)
    return int.from_bytes(_digest(b"captcha.sample", *parts, size=32), "little")


def order_keys(seed: int, epoch: int, num_keys: int) -> tuple[int, ...]:
    """`num_keys` (at most 8) round keys of 64 bits for the order of one epoch."""
    parts = struct.pack("<Q", seed), struct.pack("<Q", epoch)
    return struct.unpack(f"<{num_keys}Q", _digest(b"captcha.order", *parts, size=8 * num_keys))


def augmentation_key(seed: int, epoch: int, index: int) -> int:
    """256 bits for how one sample is altered in one epoch; `seed` is that of the order."""
    parts = struct.pack("<Q", seed), struct.pack("<Q", epoch), struct.pack("<Q", index)
    return int.from_bytes(_digest(b"captcha.augment", *parts, size=32), "little")


class Draws:
    """A stream of random draws with the three methods that the captcha library takes from `secrets`."""

    __slots__ = ("_random",)

    def __init__(self, key: int) -> None:
        self._random = random.Random(key).random

    def randbelow(self, bound: int) -> int:
        """An integer in 0..bound-1, for bounds up to 2^53."""
        return int(self._random() * bound)

    def randbits(self, bits: int) -> int:
        """An integer of `bits` bits, at most 53."""
        return int(self._random() * (1 << bits))

    def below_each(self, bounds: Sequence[int]) -> list[int]:
        """As many draws of `randbelow`."""
        draw = self._random
        return [int(draw() * bound) for bound in bounds]

    def fraction(self) -> float:
        """One of 2^32 numbers in [0, 1): 32 bits as the captcha library divides them."""
        return int(self._random() * 4294967296) / 4294967296

    def choice(self, options: Sequence[_T]) -> _T:
        """One of `options`, each as likely as the others."""
        return options[int(self._random() * len(options))]
