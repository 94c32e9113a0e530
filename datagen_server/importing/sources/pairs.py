"""WebDataset pairs: 00017.png with 00017.txt, .cls or .json beside it, in an archive or a folder."""

from collections.abc import Iterator

from datagen_server.importing.sources.file_names import ignored
from datagen_server.importing.sources.file_tree import FileTree
from datagen_server.importing.sources.label_lines import label_of_json
from datagen_server.importing.sources.picture_source import PictureEntry
from datagen_server.importing.sources.reasons import Reason
from datagen_server.importing.sources.split_names import split_of
from datagen_server.importing.sources.text_encoding import decode_text
from shared.errors import UsageError
from shared.images.decode import PictureError

_LABEL_EXTENSIONS = ("txt", "label", "gt.txt", "cls", "json")
_MAX_BYTES = 2**20


class LabelledPairs:
    """Each picture in a tree, labelled by the text file with the same key."""

    kind = "webdataset"

    def __init__(self, tree: FileTree, default_split: str | None, encoding: str | None = None) -> None:
        self.origin = tree.origin
        self._tree, self._default_split, self._encoding = tree, default_split, encoding
        self._pictures, self._labels = _by_key(tree)
        used = set(self._labels.values())
        unused = [name for name in tree.others if name not in used]
        self.notes = ["labels from the text file beside each picture", *ignored(unused)]

    def entries(self) -> Iterator[PictureEntry]:
        """See `PictureSource`."""
        for one in self._tree.unread:
            yield PictureEntry(one.name, reason=one.reason, detail=one.detail)
        for name, key in self._pictures.items():
            yield self._entry(name, key, split_of(name.rpartition("/")[0]) or self._default_split)
        for key in sorted(self._labels.keys() - set(self._pictures.values())):
            yield PictureEntry(self._labels[key], reason=Reason.MISSING_PICTURE, detail="no picture has its key")

    def read(self, name: str) -> bytes:
        """See `PictureSource`."""
        return self._tree.read(name)

    def path_of(self, name: str) -> str | None:
        """See `PictureSource`."""
        return self._tree.path_of(name)

    def close(self) -> None:
        """See `PictureSource`."""
        self._tree.close()

    def _entry(self, name: str, key: str, split: str | None) -> PictureEntry:
        label_file = self._labels.get(key)
        if label_file is None:
            return PictureEntry(name, split, reason=Reason.NO_LABEL, detail="no text file has its key")
        try:
            text, _ = decode_text(self._tree.read(label_file, _MAX_BYTES), label_file, self._encoding)
        except (PictureError, UsageError) as error:
            return PictureEntry(name, split, reason=Reason.NOT_TEXT, detail=str(error))
        if not label_file.endswith(".json"):
            return PictureEntry(name, split, text.rstrip("\r\n"))
        label = label_of_json(text)
        if label is None:
            return PictureEntry(name, split, reason=Reason.NO_LABEL, detail=f"{label_file} has no text or label")
        return PictureEntry(name, split, label)


def are_pairs(tree: FileTree) -> bool:
    """Whether at least half of the pictures in `tree` have a text file with their key."""
    if not tree.others:
        return False
    pictures, labels = _by_key(tree)
    return bool(pictures) and sum(key in labels for key in pictures.values()) >= len(pictures) / 2


def _by_key(tree: FileTree) -> tuple[dict[str, str], dict[str, str]]:
    """The key of each picture, and the label file of each key. A key is a path up to the first dot in its name."""
    labels: dict[str, str] = {}
    for name in tree.others:
        key, extension = _key_and_extension(name)
        if extension.lower() in _LABEL_EXTENSIONS:
            known = labels.setdefault(key, name)
            labels[key] = min(known, name, key=_preference)
    return {name: _key_and_extension(name)[0] for name in tree.pictures}, labels


def _key_and_extension(name: str) -> tuple[str, str]:
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension


def _preference(name: str) -> tuple[int, str]:
    """Text before a class before JSON, which may hold anything."""
    extension = name.rpartition("/")[2].partition(".")[2].lower()
    return _LABEL_EXTENSIONS.index(extension), name
