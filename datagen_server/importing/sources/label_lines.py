"""What label files say: lines of path and label, CSV with a header, or JSON lines."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datagen_server.importing.sources.text_encoding import lines_of

_MAX_FIELD = 131_072
_SUFFIX = r"\.(?:png|jpe?g|jfif|webp|bmp|gif|tiff?)"
_LINE = re.compile(rf'(?P<quote>"?)(?P<path>.*?{_SUFFIX})(?P=quote)(?P<rest>(?:\t|[ ]*[,;]|[ ]).*|)', re.IGNORECASE)
_PATH_KEYS = ("filename", "file_name", "file", "path", "image", "image_path", "img", "img_path", "image_name", "name")
_LABEL_KEYS = ("label", "text", "words", "gt", "transcription", "captcha", "solution", "value", "answer", "string")
_LOOKED_AT = 50


@dataclass(frozen=True)
class LabelLine:
    """One line of a label file. `path` is empty where the line cannot be understood; `label` then says why."""

    number: int
    path: str
    label: str


def parse_labels(text: str, suffix: str) -> Iterator[LabelLine]:
    """All lines but empty ones, in order; suffix: .csv, .tsv, .jsonl or any other of the label file."""
    if suffix == ".jsonl":
        return _parse_json_lines(text)
    if suffix in (".csv", ".tsv") and (columns := _columns(text)):
        return _parse_csv(text, *columns)
    return _parse_lines(text)


def looks_like_labels(text: str, suffix: str) -> bool:
    """Whether at least half of the first lines name a picture."""
    head = "\n".join(lines_of(text)[: _LOOKED_AT + 1])
    if suffix in (".csv", ".tsv") and not _columns(head) and not _LINE.fullmatch(head.partition("\n")[0]):
        return False  # Its first line is a header, and an unknown one.
    lines = [line for line, _ in zip(parse_labels(head, suffix), range(_LOOKED_AT), strict=False)]
    named = [line for line in lines if re.search(_SUFFIX + "$", line.path, re.IGNORECASE)]
    return bool(lines) and len(named) >= len(lines) / 2


def _parse_lines(text: str) -> Iterator[LabelLine]:
    lines = lines_of(text)
    separator = _separator_of(lines)
    for number, line in enumerate(lines, start=1):
        if not line.strip("\0 \t"):
            continue
        if (found := _LINE.fullmatch(line)) and _separator(found["rest"]) in (separator, ""):
            rest = found["rest"]
            label = rest[len(rest) - len(rest.lstrip(" ")) + 1 :] if separator == "," else rest[1:]
            yield LabelLine(number, found["path"], _unquoted(label) if separator == "," else label)
        elif not found and separator == "\t" and "\t" in line:
            path, _, label = line.partition("\t")
            yield LabelLine(number, path, label)
        else:
            yield LabelLine(number, "", f"expected a picture's path, a {_name_of(separator)} and its label")


def _separator_of(lines: Sequence[str]) -> str:
    """What most lines have between path and label: a tab, a comma or a space."""
    found = (_LINE.fullmatch(line) for line in lines[:1000])
    counts = Counter(separator for one in found if one and (separator := _separator(one["rest"])))
    return max(("\t", ",", " "), key=lambda separator: counts[separator])


def _separator(rest: str) -> str:
    stripped = rest.lstrip(" ")
    if stripped.startswith((",", ";")):
        return ","
    return rest[:1]


def _name_of(separator: str) -> str:
    return {"\t": "tab", ",": "comma"}.get(separator, "space")


def _unquoted(label: str) -> str:
    """The label in quotes, as ICDAR writes it; one space after the comma is no part of a label."""
    label = label.removeprefix(" ")
    if len(label) >= 2 and label[0] == label[-1] == '"':
        return label[1:-1].replace('""', '"').replace('\\"', '"')
    return label


def _columns(text: str) -> tuple[str, int, int] | None:
    """The delimiter and the columns of path and label that the header tells; None when it does not."""
    header = next(iter(lines_of(text[:65_536])), "")
    for delimiter in (",", "\t", ";"):
        try:
            names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        except csv.Error:
            continue
        paths = [names.index(key) for key in _PATH_KEYS if key in names]
        labels = [names.index(key) for key in _LABEL_KEYS if key in names]
        if paths and labels:
            return delimiter, paths[0], labels[0]
    return None


def _parse_csv(text: str, delimiter: str, path_column: int, label_column: int) -> Iterator[LabelLine]:
    reader = csv.reader(io.StringIO("\n".join(lines_of(text)), newline=""), delimiter=delimiter)
    next(reader, None)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield LabelLine(reader.line_num, "", f"not a line of CSV: {error}")
            continue
        if max(map(len, row), default=0) > _MAX_FIELD:  # The library's own limit belongs to the whole process.
            yield LabelLine(reader.line_num, "", f"a field of more than {_MAX_FIELD:,} characters")
        elif len(row) > max(path_column, label_column) and row[path_column]:
            yield LabelLine(reader.line_num, row[path_column], row[label_column])
        elif row:
            yield LabelLine(reader.line_num, "", f"expected {max(path_column, label_column) + 1} columns")


def _parse_json_lines(text: str) -> Iterator[LabelLine]:
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip("\0 \t"):
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield LabelLine(number, "", f"not JSON: {error}")
            continue
        path, label = (_first(values, keys) for keys in (_PATH_KEYS, _LABEL_KEYS))
        if path and label is not None:
            yield LabelLine(number, path, label)
        else:
            yield LabelLine(number, "", 'expected an object such as {"file_name": "a.png", "text": "abc"}')


def label_of_json(text: str) -> str | None:
    """The label in one JSON text: an object with a text or label, a string or a number; None when there is none."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _as_text(values) if not isinstance(values, dict) else _first(values, _LABEL_KEYS)


def _first(values: object, keys: Sequence[str]) -> str | None:
    if not isinstance(values, dict):
        return None
    return next((text for key in keys if (text := _as_text(values.get(key))) is not None), None)


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
