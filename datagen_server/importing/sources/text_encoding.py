"""Text files of unknown encoding: decoded, or refused with the line."""

import re

from shared.errors import UsageError

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")


def decode_text(data: bytes, name: str, encoding: str | None = None) -> tuple[str, str]:
    """The text, without a byte order mark, and the encoding it had; raises `UsageError` naming file and line.

    encoding: a codec's name; None: a byte order mark decides, else UTF-8, else GBK (as GB 18030).
    """
    for mark, of_mark in _BOMS:
        if data.startswith(mark) and encoding is None:
            return _decode(data[len(mark) :], name, of_mark), of_mark
    if encoding is not None:
        return _decode(data, name, encoding).removeprefix("\ufeff"), encoding
    for candidate in (*_without_mark(data), "utf-8", "gb18030"):
        try:
            return data.decode(candidate), candidate
        except UnicodeDecodeError:
            continue
    return _decode(data, name, "utf-8"), "utf-8"


def lines_of(text: str) -> list[str]:
    """Lines that end with LF, CR LF or CR. Nothing else ends a line, so a label may hold any other character."""
    lines = _LINE_END.split(text)
    return lines[:-1] if lines and not lines[-1] else lines


def _without_mark(data: bytes) -> tuple[str, ...]:
    """UTF-16 has a zero byte in every second place of ASCII text; other encodings have none."""
    head = data[:4096]
    if len(head) < 4 or b"\x00" not in head:
        return ()
    if head[1::2].count(0) > len(head) // 4 and not head[::2].count(0):
        return ("utf-16-le",)
    return ("utf-16-be",) if head[::2].count(0) > len(head) // 4 and not head[1::2].count(0) else ()


def _decode(data: bytes, name: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError as error:
        raise UsageError(f"there is no encoding {encoding!r}; utf-8, gbk, latin-1 are some") from error
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = len(_LINE_END.split(data[:start].decode(encoding, "ignore")))
        tried = encoding if encoding != "utf-8" else "UTF-8, UTF-16 or GBK"
        raise UsageError(f"{name} line {line} is not {tried} text; save it as UTF-8 or name its --encoding") from error
