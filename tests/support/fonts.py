"""Fonts of the system that tests draw with where they are installed."""

from pathlib import Path

import pytest

_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
_LATIN = ("DejaVuSerif.ttf", "DejaVuSans.ttf", "LiberationSerif-Italic.ttf", "FreeSerif.ttf")
_CHINESE = ("wqy-microhei.ttc", "wqy-zenhei.ttc", "NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "uming.ttc")


def latin_fonts() -> list[Path]:
    """At least two fonts with all of ASCII; the test is skipped where they are not installed."""
    found = find_fonts(*_LATIN)
    if len(found) < 2:
        pytest.skip("needs two fonts, such as those of the packages fonts-dejavu-core and fonts-liberation")
    return found


def chinese_font() -> Path:
    """A font with the common Chinese characters; the test is skipped where none is installed."""
    found = find_fonts(*_CHINESE)
    if not found:
        pytest.skip("needs a Chinese font, such as that of the package fonts-wqy-microhei")
    return found[0]


def chinese_characters(number: int) -> str:
    """That many, in the order of GB 2312: the common ones first."""
    rows = (bytes([row, cell]) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    decoded = (pair.decode("gb2312", "ignore") for pair in rows)
    return "".join(character for character in decoded if character)[:number]


def find_fonts(*names: str) -> list[Path]:
    found = (next(folder.rglob(name), None) for name in names for folder in _FOLDERS if folder.is_dir())
    return [path for path in found if path]
