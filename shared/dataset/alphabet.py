"""Which characters a label may hold: any of Unicode, each one code point, in the order that gives them their classes.

Note: a class is one code point, not one grapheme. Alphabets are in normal form NFC, so a letter with its
accent is one code point wherever Unicode has one; a sequence that does not compose (a flag, an x with a caron) is
refused by name, because a label could not be cut into classes again.
"""

import string
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from shared.dataset.field_types import shown
from shared.errors import UsageError

MAX_ALPHABET = 8192
NAMED_ALPHABETS: Mapping[str, str] = MappingProxyType(
    {
        "digits": string.digits,
        "lower": string.ascii_lowercase,
        "upper": string.ascii_uppercase,
        "alphanumeric": string.digits + string.ascii_lowercase + string.ascii_uppercase,
        "hex": "0123456789abcdef",
    }
)
_REFUSED = {
    "Cc": "a control character",
    "Cf": "an invisible format character",
    "Cs": "a surrogate",
    "Zs": "a space",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def named_alphabet(text: str) -> str:
    """The characters of a name such as `digits`, or `text` itself in normal form NFC."""
    return NAMED_ALPHABETS.get(text, unicodedata.normalize("NFC", text))


def check_alphabet(characters: object, *, space_allowed: bool) -> None:
    """Raises `UsageError` unless these are 1..8192 distinct characters that labels can be made of."""
    if not isinstance(characters, str):
        raise UsageError(f"alphabet must be a text, got {shown(characters)}; quote it where YAML reads a number")
    if not 1 <= len(characters) <= MAX_ALPHABET:
        raise UsageError(f"alphabet must be 1..{MAX_ALPHABET} distinct characters, got {len(characters)}")
    seen: set[str] = set()
    for place, character in enumerate(characters):
        if character in seen:
            raise UsageError(f"alphabet must be distinct characters, got {name_of(character)} twice")
        seen.add(character)
        if not (space_allowed and character == " "):
            _check_character(characters, place)


def name_of(character: str) -> str:
    """A character for messages: 'a' (U+0061)."""
    code = f"U+{ord(character):04X}"
    return f"{character!r} ({code})" if character.isprintable() else code


def _check_character(characters: str, place: int) -> None:
    character = characters[place]
    category = unicodedata.category(character)
    if category in _REFUSED:
        raise UsageError(f"alphabet must hold visible characters, got {name_of(character)}, {_REFUSED[category]}")
    if category.startswith("M"):
        before = f" after {name_of(characters[place - 1])}" if place else ""
        problem = f"got the combining mark U+{ord(character):04X}{before}"
        raise UsageError(f"alphabet must be one code point for each character, {problem}")
    if (normal := unicodedata.normalize("NFC", character)) != character:
        codes = " ".join(f"U+{ord(part):04X}" for part in normal)
        raise UsageError(f"alphabet must be in Unicode normal form NFC, got {name_of(character)} for {codes}")
