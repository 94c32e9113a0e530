"""Pictures that label files list, as PaddleOCR, MindOCR, deep-text-recognition-benchmark and others write them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from posixpath import basename, join, splitext

from datagen_server.importing.sources.file_names import ignored
from datagen_server.importing.sources.file_tree import FileTree, is_inside, printable
from datagen_server.importing.sources.label_lines import LabelLine, looks_like_labels, parse_labels
from datagen_server.importing.sources.picture_source import PictureEntry
from datagen_server.importing.sources.reasons import Reason
from datagen_server.importing.sources.split_names import split_of
from datagen_server.importing.sources.text_encoding import decode_text
from shared.errors import UsageError
from shared.images.decode import PictureError

LABEL_FILE_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")
_MAX_BYTES = 2**30
_CHECKED_BYTES = 65_536
_MAX_CANDIDATES = 1000


class LabelFiles:
    """The pictures that label files in a tree list, and those that none of them lists.

    only: the one label file that the user named; then pictures that it does not list are not missed.
    """

    kind = "labels"

    def __init__(
        self,
        tree: FileTree,
        default_split: str | None,
        label_files: Sequence[str],
        *,
        encoding: str | None = None,
        only: bool = False,
    ) -> None:
        self.origin = tree.origin
        self._tree, self._default_split, self._only = tree, default_split, only
        self._texts = {name: _read_text(tree, name, encoding) for name in label_files}
        self._found_by_name: dict[str, str] = {}
        self.notes = [f"labels from {printable(name)} ({used})" for name, (_, used) in self._texts.items()]
        if not only:
            used = set(label_files)
            self.notes += ignored([name for name in tree.others if name not in used])

    def entries(self) -> Iterator[PictureEntry]:
        """See `PictureSource`."""
        listed = set[str]()
        for name, (text, _) in self._texts.items():
            for line in parse_labels(text, splitext(name)[1].lower()):
                entry = self._entry(name, line)
                listed.add(entry.name)
                yield entry
        if self._found_by_name:
            first, where = next(iter(self._found_by_name.items()))
            note = f"{len(self._found_by_name):,} pictures found in other folders by their names alone:"
            note = f"{note} {printable(first)} is {printable(where)}"
            self.notes += [note] if note not in self.notes else []
        if self._only:
            return
        for one in self._tree.unread:
            yield PictureEntry(one.name, reason=one.reason, detail=one.detail)
        for name in self._tree.pictures:
            if name not in listed:
                yield PictureEntry(name, reason=Reason.NO_LABEL, detail="no label file lists it")

    def read(self, name: str) -> bytes:
        """See `PictureSource`."""
        return self._tree.read(name)

    def path_of(self, name: str) -> str | None:
        """See `PictureSource`."""
        return self._tree.path_of(name)

    def close(self) -> None:
        """See `PictureSource`."""
        self._tree.close()

    def _entry(self, label_file: str, line: LabelLine) -> PictureEntry:
        where = f"{label_file} line {line.number}"
        if not line.path:
            return PictureEntry(where, reason=Reason.MALFORMED_LINE, detail=line.label)
        path = line.path.replace("\\", "/")
        name = self._found(label_file, path)
        if name is not None:
            split = split_of(label_file, name.rpartition("/")[0]) or self._default_split
            return PictureEntry(name, split, line.label)
        shown = printable(line.path)  # In quotes a CSV may have line breaks.
        if is_inside(path) or path.startswith(self._tree.origin):
            return PictureEntry(where, reason=Reason.MISSING_PICTURE, detail=f"{shown} is not there")
        return PictureEntry(where, reason=Reason.OUTSIDE_SOURCE, detail=f"{shown} is outside of the source")

    def _found(self, label_file: str, path: str) -> str | None:
        """The picture that is meant: relative to the label file, to the tree, or to a folder above either.

        A name without a folder may also mean the one picture that is called so, if it is in a folder below the label
        file and not in that of another split.
        """
        folder = label_file.rpartition("/")[0]
        root = f"{self._tree.origin.rstrip('/')}/"
        if path.startswith(root):
            path = path.removeprefix(root)
        if not is_inside(path):
            return None
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for start in range(len(parts)):
            for name in (join(folder, *parts[start:]), join(*parts[start:])):
                if self._tree.has(name):
                    return name
        only = self._only_one_called.get(parts[0]) if len(parts) == 1 else None
        if only is None or not only.startswith(join(folder, "")):
            return None
        splits = {split_of(label_file), split_of(only.rpartition("/")[0])} - {None}
        return self._found_by_name.setdefault(parts[0], only) if len(splits) <= 1 else None

    @cached_property
    def _only_one_called(self) -> Mapping[str, str]:
        """The pictures in the tree whose name no other has, by that name."""
        counts = Counter(map(basename, self._tree.pictures))
        return {basename(name): name for name in self._tree.pictures if counts[basename(name)] == 1}


def find_label_files(tree: FileTree, encoding: str | None) -> list[str]:
    """The files in `tree` that list pictures, by their first lines."""
    names = [name for name in tree.others if name.lower().endswith(LABEL_FILE_SUFFIXES)]
    if len(names) > _MAX_CANDIDATES:  # A text beside each picture: see `pairs`.
        return []
    return [name for name in names if _lists_pictures(tree, name, encoding)]


def _lists_pictures(tree: FileTree, name: str, encoding: str | None) -> bool:
    try:
        head = tree.read(name, _MAX_BYTES)[:_CHECKED_BYTES]
    except PictureError:
        return False
    try:
        text, _ = decode_text(head, name, encoding)
    except UsageError:  # Perhaps cut within a character. If not, reading all of it will tell.
        text = head.decode("latin-1")
    return looks_like_labels(text, splitext(name)[1].lower())


def _read_text(tree: FileTree, name: str, encoding: str | None) -> tuple[str, str]:
    try:
        return decode_text(tree.read(name, _MAX_BYTES), f"{tree.origin}/{name}", encoding)
    except PictureError as error:
        raise UsageError(f"{tree.origin}/{name} {error}") from error
