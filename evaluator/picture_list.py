"""The picture files that `predict` is asked to read: files, folders, or a list of either on standard input."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.errors import UsageError

STDIN = "-"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
"Of the files of a folder that are taken; a file that is named is taken whatever it is called."


def picture_files(names: Iterable[str], stdin: Iterable[str]) -> Iterator[Path | UsageError]:
    """Each file in turn, those of a folder and its folders sorted by name; an error for a folder without any.

    names: as given; `-` stands for the lines of `stdin`.
    """
    for name in names:
        if name == STDIN:
            yield from picture_files((line.rstrip("\n") for line in stdin if line.strip()), ())
        elif not name:
            yield UsageError("a picture needs a name, got an empty one")
        elif Path(name).is_dir():
            yield from _pictures_in(Path(name))
        else:
            yield Path(name)


def _pictures_in(folder: Path) -> Iterator[Path | UsageError]:
    found = False
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file():
            found = True
            yield file
    if not found:
        yield UsageError(f"{folder} holds no picture: no file that ends with {', '.join(SUFFIXES)}")
