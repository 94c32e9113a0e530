"""Values as people read them."""

from datetime import timedelta

_LONGEST_ALPHABET = 64
_SHOWN_CHARACTERS = 40


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 0:03:20, 2 days, 1:00:00."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return str(timedelta(seconds=int(seconds)))


def alphabet_text(alphabet: str) -> str:
    """The characters; of a large alphabet the first ones, and how many there are."""
    if len(alphabet) <= _LONGEST_ALPHABET:
        return alphabet
    return f"{alphabet[:_SHOWN_CHARACTERS]}... ({len(alphabet):,} characters)"
