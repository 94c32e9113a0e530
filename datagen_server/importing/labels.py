"""Labels as people write them, made into labels of a data set, or refused with a reason."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from datagen_server.importing.sources.reasons import Reason
from datagen_server.importing.sources.text_encoding import decode_text, lines_of
from shared.dataset.alphabet import check_alphabet, name_of
from shared.dataset.spec import MAX_LENGTH
from shared.errors import UsageError

CASES = ("keep", "lower", "upper")
_LINE_ENDS = "\r\n"


class LabelError(UsageError):
    """A label that cannot be used."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.skip_reason = reason


@dataclass(frozen=True, kw_only=True)
class LabelRules:
    """What is done to every label, in this order: NFC, strip, case, map. Checks itself; raises `UsageError`."""

    strip: bool = False
    "Take white space off both ends; else such labels are refused, because nobody sees what was meant."
    case: str = "keep"
    "keep, lower or upper."
    mapping: Mapping[str, str] = field(default_factory=dict)
    "Characters, and what stands for them, such as O for 0; applied after the case."
    alphabet: str | None = None
    "The characters that may occur; None: all that do."

    def __post_init__(self) -> None:
        if self.case not in CASES:
            raise UsageError(f"case must be {', '.join(CASES)}, got {self.case!r}")

    def apply(self, text: str) -> str:
        """The label; raises `LabelError`."""
        label = unicodedata.normalize("NFC", text.rstrip(_LINE_ENDS))
        label = label.strip() if self.strip else label
        label = label.lower() if self.case == "lower" else label.upper() if self.case == "upper" else label
        label = "".join(self.mapping.get(character, character) for character in label) if self.mapping else label
        label = unicodedata.normalize("NFC", label)
        if not label:
            raise LabelError(Reason.EMPTY_LABEL, "its label is empty")
        self._check_characters(label)
        if len(label) > MAX_LENGTH:
            problem = f"its label has {len(label)} characters, at most {MAX_LENGTH} are possible"
            raise LabelError(Reason.TOO_LONG, problem)
        return label

    def _check_characters(self, label: str) -> None:
        if label.isascii() and label.isprintable() and " " not in label and self.alphabet is None:
            return
        for character in label:
            if unicodedata.category(character) == "Cc":
                problem = f"its label {label[:40]!r} holds the control character U+{ord(character):04X}"
                raise LabelError(Reason.CONTROL_CHARACTER, problem)
        if label != label.strip():
            raise LabelError(Reason.SPACE_AT_END, f"its label {label[:40]!r} begins or ends with a space; give --strip")
        for character in label:
            if not (_is_possible(character) if self.alphabet is None else character in self.alphabet):
                problem = f"its label holds {name_of(character)}, which no class stands for"
                raise LabelError(Reason.OUTSIDE_ALPHABET, problem)


@lru_cache(maxsize=2**16)
def _is_possible(character: str) -> bool:
    """Whether an alphabet can have it."""
    try:
        check_alphabet(character, space_allowed=True)
    except UsageError:
        return False
    return True


def read_mapping(path: Path, encoding: str | None = None) -> Mapping[str, str]:
    """The `--map` file: on each line a character, a space or tab, and what stands for it; raises `UsageError`."""
    try:
        text, _ = decode_text(path.read_bytes(), str(path), encoding)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    mapping: dict[str, str] = {}
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        character, *rest = unicodedata.normalize("NFC", line).split()
        if len(character) != 1 or len(rest) > 1:
            raise UsageError(f"{path} line {number} must be a character, a space and what stands for it, got {line!r}")
        if character in mapping:
            raise UsageError(f"{path} line {number} maps {character!r} a second time")
        mapping[character] = "".join(rest)
    return mapping
