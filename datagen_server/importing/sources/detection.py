"""What a person has named, recognised by looking at it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datagen_server.importing.sources.archives import is_archive, open_archive
from datagen_server.importing.sources.file_names import NamedPictures, check_not_numbered
from datagen_server.importing.sources.file_tree import FileTree, Folder
from datagen_server.importing.sources.label_files import LABEL_FILE_SUFFIXES, LabelFiles, find_label_files
from datagen_server.importing.sources.ocr_lmdb import OcrLmdbs, find_data_files, is_lmdb
from datagen_server.importing.sources.pairs import LabelledPairs, are_pairs
from datagen_server.importing.sources.picture_source import PictureSource
from datagen_server.importing.sources.split_names import split_of, split_of_source
from datagen_server.importing.sources.text_encoding import decode_text, lines_of
from shared.errors import UsageError
from shared.images.decode import PictureError

DICTIONARY_NAME = "dict.txt"
_MAX_DICTIONARY_BYTES = 2**20
_ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


@dataclass(frozen=True)
class Hints:
    """What the user said about sources, where looking is not enough."""

    kind: str | None = None
    "One of `KINDS`; None: look."
    label_pattern: str | None = None
    "A regular expression with a group called label, for labels in file names."
    encoding: str | None = None
    "Of label files; None: look."

    def __post_init__(self) -> None:
        if self.label_pattern is not None and self.kind not in (None, "names"):
            raise UsageError(f"--label-pattern is for labels in file names, and --from says {self.kind}")


@dataclass(frozen=True)
class OpenedSource:
    """A source, and the alphabet that lies beside it."""

    source: PictureSource
    alphabet: str | None
    "The characters of its dict.txt, in order; None when it has none."


def open_sources(path: Path, hints: Hints, scratch: Path) -> Iterator[OpenedSource]:
    """What `path` holds: one source, or one for each archive in a folder of archives; raises `UsageError`.

    scratch: a directory for files without a name.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist, or is a link that leads nowhere")
    if path.is_dir():
        folder = Folder(path)
        if archives := _only_archives(folder):
            alphabet = _dictionary_of(folder, hints.encoding)
            for name in archives:
                opened = _opened(open_archive(path / name, scratch), split_of(name) or split_of_source(path), hints)
                yield replace(opened, alphabet=opened.alphabet or alphabet)
        else:
            yield _opened(folder, split_of_source(path), hints)
    elif not path.is_file():
        raise UsageError(f"{path} is neither a file nor a folder")
    elif is_lmdb(_head(path)):
        yield OpenedSource(OcrLmdbs(Folder(path.parent, path.name), None, [path.name], hints.encoding), None)
    elif is_archive(path) or path.name.lower().endswith(_ARCHIVE_SUFFIXES):
        yield _opened(open_archive(path, scratch), split_of_source(path), hints)
    elif path.name.lower().endswith(LABEL_FILE_SUFFIXES):
        labels = LabelFiles(Folder(path.parent, path.name), None, [path.name], encoding=hints.encoding, only=True)
        yield OpenedSource(labels, None)
    else:
        expected = "a folder, a .tar or .zip, a label file (.txt, .csv, .jsonl) or an LMDB file"
        raise UsageError(f"{path} is nothing to import from: expected {expected}")


def _opened(tree: FileTree, default_split: str | None, hints: Hints) -> OpenedSource:
    try:
        return OpenedSource(_recognised(tree, default_split, hints), _dictionary_of(tree, hints.encoding))
    except BaseException:
        tree.close()
        raise


def _recognised(tree: FileTree, default_split: str | None, hints: Hints) -> PictureSource:
    kind = hints.kind or ("names" if hints.label_pattern is not None else None)
    if kind in (None, "ocr-lmdb") and ((data_files := find_data_files(tree)) or kind):
        if not data_files:
            raise UsageError(f"{tree.origin} holds no LMDB file (data.mdb or .lmdb)")
        return OcrLmdbs(tree, default_split, data_files, hints.encoding)
    if kind in (None, "labels") and ((label_files := find_label_files(tree, hints.encoding)) or kind):
        if not label_files:
            raise UsageError(f"{tree.origin} holds no label file; name it as the source")
        return LabelFiles(tree, default_split, label_files, encoding=hints.encoding)
    if kind == "webdataset" or (kind is None and are_pairs(tree)):
        return LabelledPairs(tree, default_split, hints.encoding)
    if not tree.pictures and not tree.unread:
        problem = f"{tree.origin} holds no pictures, label files or LMDB files"
        raise UsageError(f"{problem}; the names of pictures end in .png, .jpg, .webp, .bmp or .gif")
    if kind is None:
        check_not_numbered(tree)
    return NamedPictures(tree, default_split, hints.label_pattern)


def _only_archives(folder: Folder) -> Sequence[str]:
    """The archives in a folder that holds archives and no pictures."""
    if folder.pictures:
        return ()
    return [name for name in folder.others if name.lower().endswith(_ARCHIVE_SUFFIXES)]


def _dictionary_of(tree: FileTree, encoding: str | None) -> str | None:
    """The characters in dict.txt, one a line, at the top of `tree`."""
    below = f"{DICTIONARY_NAME}/"
    if any(name.startswith(below) for names in (tree.others, tree.pictures) for name in names):
        raise UsageError(f"{tree.origin}/{DICTIONARY_NAME} is a folder; rename it, or name the folders beside it")
    if DICTIONARY_NAME not in tree.others:
        return None
    try:
        data = tree.read(DICTIONARY_NAME, _MAX_DICTIONARY_BYTES)
    except PictureError as error:
        raise UsageError(f"{tree.origin}/{DICTIONARY_NAME} {error}") from error
    text, _ = decode_text(data, f"{tree.origin}/{DICTIONARY_NAME}", encoding)
    return "".join(lines_of(text))


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(64)
    except OSError as error:
        raise UsageError(f"cannot open {path}: {error.strerror}") from error
