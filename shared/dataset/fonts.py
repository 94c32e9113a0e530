"""Fonts: what a spec holds of them, and where their files are found on this machine.

Note: a path is no part of a spec. A spec holds a font's base name and the SHA-256 of its bytes, so that it
means the same pixels everywhere; the files are named anew wherever something is rendered.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from shared.dataset.field_types import check_keys, shown
from shared.errors import UsageError

MAX_FONTS = 64
"Of one style."
MAX_FONT_BYTES = 256 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[^/\x00-\x1f]{1,255}")


@dataclass(frozen=True, order=True)
class Font:
    """A font by its bytes. Checks itself."""

    name: str
    "The file's base name."
    sha256: str
    "64 hex digits: of the file's bytes."

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise UsageError(f"font name must be the name of a file, got {shown(self.name)}")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise UsageError(f"sha256 of font {self.name} must be 64 hex digits, got {shown(self.sha256)}")

    @classmethod
    def from_mapping(cls, values: Any) -> Self:
        """The inverse of `dataclasses.asdict`."""
        if not isinstance(values, dict):
            raise UsageError(f"a font must be a mapping of name and sha256, got {shown(values)}")
        check_keys("a font", values, ["name", "sha256"])
        if missing := {"name", "sha256"} - set(values):
            raise UsageError(f"a font must have a name and a sha256, got no {min(missing)}")
        return cls(values["name"], values["sha256"])


@dataclass(frozen=True)
class FontList:
    """The field type of a style's fonts."""

    def check(self, name: str, value: Any) -> tuple[Font, ...]:
        """Distinct fonts, at most 64, made of mappings where they are none yet."""
        if not isinstance(value, list | tuple) or len(value) > MAX_FONTS:
            raise UsageError(f"{name} must be a list of at most {MAX_FONTS} fonts, got {shown(value)}")
        fonts = tuple(item if isinstance(item, Font) else Font.from_mapping(item) for item in value)
        if len(set(fonts)) != len(fonts):
            raise UsageError(f"{name} must be distinct fonts, got {max(fonts, key=fonts.count).name} twice")
        return fonts


@dataclass(frozen=True)
class FontFile:
    """A font and its file."""

    font: Font
    path: Path

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of any file: whether it is a font shows when it is drawn with. Raises `UsageError` when it cannot be read."""
        return cls(Font(path.name, _digest_file(path.absolute())), path.absolute())


@dataclass(frozen=True)
class FontFiles:
    """The font files of this machine that a spec may need."""

    files: tuple[FontFile, ...] = ()

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Self:
        """Of these paths, each one once."""
        return cls(tuple(FontFile.read(path) for path in dict.fromkeys(path.absolute() for path in paths)))

    def __or__(self, other: "FontFiles") -> "FontFiles":
        return FontFiles(tuple(dict.fromkeys(self.files + other.files)))

    def find(self, font: Font) -> Path:
        """The file with these bytes; raises `UsageError` when none of the files has them."""
        for file in self.files:
            if file.font.sha256 == font.sha256:
                return file.path
        for file in self.files:
            if file.font.name == font.name:
                problem = f"{file.path} has other bytes (SHA-256 {file.font.sha256[:16]}...)"
                raise UsageError(f"font {font.name} of the data set has SHA-256 {font.sha256[:16]}..., but {problem}")
        known = f"font {font.name} of the data set (SHA-256 {font.sha256[:16]}...)"
        raise UsageError(f"{known} is missing; give its file with --font")

    def only(self, fonts: Sequence[Font]) -> "FontFiles":
        """The files of these fonts, each found; raises `UsageError` as `find` does."""
        return FontFiles(tuple(FontFile(font, self.find(font)) for font in dict.fromkeys(fonts)))


NO_FONTS = FontFiles()
"For specs that draw with the captcha library's own font."


def check_unchanged(file: FontFile) -> None:
    """Raises `UsageError` when the file does not have the font's bytes any more."""
    if (found := _digest_file(file.path)) != file.font.sha256:
        problem = f"SHA-256 {found[:16]}..., expected {file.font.sha256[:16]}..."
        raise UsageError(f"font {file.path} has changed ({problem}); bring the old file back or start again")


def _digest_file(path: Path) -> str:
    try:
        status = path.stat()
        if not path.is_file():
            raise UsageError(f"font {path} must be a file")
        if status.st_size > MAX_FONT_BYTES:
            raise UsageError(f"font {path} must be at most {MAX_FONT_BYTES >> 20} MiB, got {status.st_size >> 20} MiB")
        return _digest_bytes(path, status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise UsageError(f"font {path} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=256)
def _digest_bytes(path: Path, *_status: int) -> str:
    """Keyed by the file's size, time and number too: a file is read again when it has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
