"""Which split a folder's or a label file's name speaks of."""

import re
from functools import lru_cache
from pathlib import Path

from shared.errors import UsageError

_SPLIT_OF_WORD = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_SPLIT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@lru_cache(maxsize=4096)
def split_of(*paths: str) -> str | None:
    """The split that the first folder in `paths` with such a word in it speaks of: training/MJ/MJ_test is train."""
    for name in "/".join(paths).split("/"):
        for word in re.split(r"[^a-z]+", name.lower()):
            if word in _SPLIT_OF_WORD:
                return _SPLIT_OF_WORD[word]
    return None


def split_of_source(path: Path) -> str | None:
    """The split that a whole source is: train.tar, test or val_2 are, but test-pictures may be pictures for a test."""
    words = [word for word in re.split(r"[^a-z0-9]+", path.resolve().name.lower().partition(".")[0]) if word]
    others = [word for word in words if not word.isdecimal()]
    return _SPLIT_OF_WORD.get(others[0]) if len(others) == 1 else None


def parse_split(text: str) -> tuple[str, str]:
    """NAME and SOURCE of a `--split NAME=SOURCE`; raises `UsageError`."""
    name, equals, source = text.partition("=")
    if not equals or not source or not _SPLIT_NAME.fullmatch(name):
        raise UsageError(f"--split must look like train=FOLDER, with a name of a-z, 0-9 and _, got {text!r}")
    return name, source
