"""Pictures whose file names hold their labels: LABEL.png, LABEL_17.jpg, 00017-LABEL.png."""

import re
from collections.abc import Iterator, Sequence
from posixpath import splitext

from datagen_server.importing.sources.file_tree import FileTree, printable
from datagen_server.importing.sources.picture_source import PictureEntry
from datagen_server.importing.sources.reasons import Reason
from datagen_server.importing.sources.split_names import split_of
from shared.errors import UsageError

_NUMBER_LABEL = re.compile(r"(?P<number>\d+)-(?P<label>.+)", re.DOTALL)
_LABEL_NUMBER = re.compile(r"(?P<label>.+)_(?P<number>\d+)", re.DOTALL)
_LABEL = re.compile(r"(?P<label>.+)", re.DOTALL)
_DECIMAL = re.compile(r"[0-9]{1,9}")
_MAYBE_LABELS = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".xls", ".xml", ".yaml", ".parquet")
_FEWEST_NUMBERED = 3
_NEARLY_ALL, _HARDLY_ANY = 0.9, 0.1
_EXAMPLES = 3
_EXPORTED_DIGITS = 5


class NamedPictures:
    """Every picture in a tree, labelled by its name; raises `UsageError` when the names can be read in two ways."""

    kind = "names"

    def __init__(self, tree: FileTree, default_split: str | None, pattern: str | None = None) -> None:
        self.origin = tree.origin
        self._tree, self._default_split = tree, default_split
        self._names = tree.pictures
        self._own_pattern = compile_pattern(pattern) if pattern is not None else None
        self._pattern = _LABEL if self._own_pattern else recognise(self._names, tree.origin)
        self.notes = [self._understood(), *ignored(tree.others)]

    def entries(self) -> Iterator[PictureEntry]:
        """See `PictureSource`."""
        for one in self._tree.unread:
            yield PictureEntry(one.name, reason=one.reason, detail=one.detail)
        for name in self._names:
            split = split_of(name.rpartition("/")[0]) or self._default_split
            label = self._label_of(name)
            if label is None:
                yield PictureEntry(name, split, reason=Reason.NO_LABEL, detail="its name does not match the pattern")
            else:
                yield PictureEntry(name, split, label)

    def read(self, name: str) -> bytes:
        """See `PictureSource`."""
        return self._tree.read(name)

    def path_of(self, name: str) -> str | None:
        """See `PictureSource`."""
        return self._tree.path_of(name)

    def close(self) -> None:
        """See `PictureSource`."""
        self._tree.close()

    def _label_of(self, name: str) -> str | None:
        if self._own_pattern:
            found = self._own_pattern.search(splitext(name)[0])
        else:
            found = self._pattern.fullmatch(_stem(name))
        return found["label"] if found else None

    def _understood(self) -> str:
        shown = self._names[:: max(1, len(self._names) // _EXAMPLES)][:_EXAMPLES]
        examples = ", ".join(f"{printable(name)} is {self._label_of(name)!r}" for name in shown)
        form = self._own_pattern.pattern if self._own_pattern else _form_of(self._pattern)
        return f"labels from file names like {form}: {examples or 'no pictures'}"


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The `--label-pattern`; raises `UsageError` unless it is a regular expression with a group called label."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--label-pattern is no regular expression: {error}") from error
    if "label" not in compiled.groupindex:
        example = "'(?P<label>[^_]+)_[^/]*$'"
        raise UsageError(f"--label-pattern must have a group called label, such as {example}, got {pattern!r}")
    return compiled


def recognise(names: Sequence[str], origin: str) -> re.Pattern[str]:
    """Which of the three forms the names have; `UsageError` when only some have it."""
    stems = [_stem(name) for name in names]
    matches = zip(names, map(_NUMBER_LABEL.fullmatch, stems), strict=True)
    numbered = [(name.rpartition("/")[0], found["number"]) for name, found in matches if found]
    # A running number comes once in a folder. The first part of the label 12-34 does not, or has no 90% of the names.
    is_running = len(set(numbered)) == len(numbered) >= _NEARLY_ALL * len(names)
    if is_running and (len(numbered) > 1 or (numbered and len(numbered[0][1]) >= _EXPORTED_DIGITS)):
        return _NUMBER_LABEL
    fits = [bool(_LABEL_NUMBER.fullmatch(stem)) for stem in stems]
    share = sum(fits) / max(1, len(fits))
    if share >= _NEARLY_ALL:
        return _LABEL_NUMBER
    if share <= _HARDLY_ANY:
        return _LABEL
    some, other = printable(names[fits.index(True)]), printable(names[fits.index(False)])
    problem = f"{origin}: {share:.0%} of the names look like LABEL_NUMBER ({some}), the others not ({other})"
    raise UsageError(f"{problem}; say what is the label with --label-pattern, such as '(?P<label>[^/_]+)[^/]*$'")


def check_not_numbered(tree: FileTree) -> None:
    """Raises `UsageError` when the names only number the pictures and the labels seem to be elsewhere.

    Elsewhere: in a file beside them that is no label file of a known form, or in the names of their folders.
    """
    numbers: dict[str, list[int]] = {}
    for name in tree.pictures:
        if not _DECIMAL.fullmatch(_stem(name)):
            return
        numbers.setdefault(name.rpartition("/")[0], []).append(int(_stem(name)))
    if not all(len(each) >= _FEWEST_NUMBERED and max(each) - min(each) < len(each) for each in numbers.values()):
        return
    origin = printable(tree.origin)
    beside = [name for name in tree.others if name.lower().endswith(_MAYBE_LABELS)]
    if beside:
        problem = f"{origin}: the names only number the pictures, and {printable(beside[0])} is no label file"
        raise UsageError(
            f"{problem} of a known form (a .csv with the header filename,label; lines of path, tab and label; .jsonl);"
            " change its form, or give --from names"
        )
    if len(numbers) > 1:
        problem = f"{origin}: the names only number the pictures; where the folder's name is the label,"
        raise UsageError(f"{problem} give --label-pattern '(?P<label>[^/]+)/[^/]*$', else --from names")


def _stem(name: str) -> str:
    """Of a file that is called like a picture: without its folder and suffix."""
    file = name.rpartition("/")[2]
    return file.rpartition(".")[0] or file


def ignored(others: Sequence[str]) -> list[str]:
    """A note that names files which are not used, if there are any."""
    if not others:
        return []
    shown = ", ".join(map(printable, others[:_EXAMPLES])) + (", ..." if len(others) > _EXAMPLES else "")
    return [f"ignored {len(others):,} other files: {shown}"]


def _form_of(pattern: re.Pattern[str]) -> str:
    return {_NUMBER_LABEL: "NUMBER-LABEL.png", _LABEL_NUMBER: "LABEL_NUMBER.png"}.get(pattern, "LABEL.png")
