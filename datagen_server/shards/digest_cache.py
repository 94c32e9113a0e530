"""A cache of files' SHA-256 digests: a file is hashed once, and again only after it has changed.

    SHARDS/.checked/train-00000-of-00007.lmdb.json   {size, mtime_ns, ctime_ns, inode, device,
                                                     sha256, intact}

An entry is valid while the first five facts are the file's. Writing, truncating, renaming or replacing a file changes
its change time, which no program can set back; a copy on another host has another inode. An entry cannot see a bit that
flips on the disk below the file system. The checksum of each record, compared on each read, does.

A directory that cannot be written to has no entries: there the digest is computed at every start.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.errors import DataLoss
from shared.system.atomic_file import write_atomic
from shared.system.open_files import check_handles

CACHE_NAME = ".checked"
_FACTS = ("size", "mtime_ns", "ctime_ns", "inode", "device")


def sha256_of(path: Path) -> str:
    """The SHA-256 of the file at `path`, in hex: from its entry, or computed (1.5 GB/s on one core) and stored."""
    entry = _read_entry(path)
    return str(entry["sha256"]) if entry and _is_valid(entry, path) else compute(path)


def is_still_intact(path: Path) -> bool | None:
    """Whether the file at `path` has the digest it had when all its records were intact; None: that is not known."""
    entry = _read_entry(path)
    if entry is None or entry["intact"] is not True:
        return None
    return _is_valid(entry, path) or compute(path, intact=True, expected=entry["sha256"]) == entry["sha256"]


def compute(path: Path, *, intact: bool = False, expected: str = "") -> str:
    """Computes and stores the SHA-256 of the file at `path`, whatever its entry says; `DataLoss` for a bad sector.

    intact: whether all records are known to be intact if the digest is `expected` (empty: whatever it is).
    """
    try:
        with open(path, "rb") as file:
            facts = _facts(os.fstat(file.fileno()))
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            unchanged = _facts(os.fstat(file.fileno())) == facts
    except OSError as error:
        check_handles(error)
        raise DataLoss(f"cannot read {path}: {error.strerror}") from error
    if unchanged:
        _write_entry(path, {**facts, "sha256": digest, "intact": intact and expected in ("", digest)})
    return digest


def _read_entry(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        entry = json.loads(_entry_path(path).read_bytes())
        if isinstance(entry, dict) and entry.keys() == {*_FACTS, "sha256", "intact"}:
            return entry
    return None


def _is_valid(entry: dict[str, Any], path: Path) -> bool:
    """Whether the file has not changed since."""
    return entry.items() >= _facts(os.stat(path)).items()


def _facts(stat: os.stat_result) -> dict[str, int]:
    values = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev
    return dict(zip(_FACTS, values, strict=True))


def _write_entry(path: Path, values: dict[str, Any]) -> None:
    entry_path = _entry_path(path)
    with suppress(OSError):
        entry_path.parent.mkdir(exist_ok=True)
        write_atomic(entry_path, json.dumps(values))


def _entry_path(path: Path) -> Path:
    return path.parent / CACHE_NAME / f"{path.name}.json"
