"""What an import knows so far, in a hidden folder of its own, so that it may be killed at any moment.

    DIR/.import/index.sqlite   every picture looked at, by the digest of its file; and, in each run anew, the entries
    DIR/.import/pixels         the encoded pixels of the pictures that are small enough

Memory does not grow with the number of pictures, beyond what the sources need to list their names. What was learned of
a file is found again by its bytes: whatever a person changes between two runs is looked at again, and nothing else.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from datagen_server.importing.picture_chunk import Examined
from datagen_server.importing.sources.picture_source import PictureEntry
from shared.system.atomic_file import write_error

SCRATCH_NAME = ".import"
_PIXELS_NAME, _INDEX_NAME = "pixels", "index.sqlite"
_FORMAT = 1
_KEPT = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS pictures (
    file BLOB PRIMARY KEY, problem TEXT, detail TEXT, content BLOB, width INTEGER, height INTEGER,
    offset INTEGER, size INTEGER, checksum BLOB) WITHOUT ROWID;
"""
_MADE_ANEW = """
DROP TABLE IF EXISTS entries;
DROP TABLE IF EXISTS samples;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, source INTEGER, name TEXT, split TEXT, label TEXT, reason TEXT, detail TEXT,
    file BLOB, content BLOB);
CREATE TABLE samples (
    split TEXT, number INTEGER, entry INTEGER, PRIMARY KEY (split, number)) WITHOUT ROWID;
"""


class Scratch:
    """Opened in `directory`; what was kept of an import with other `facts` is thrown away. To be used by one thread.

    facts: all that decides what is learned of a file, ready for JSON.
    """

    def __init__(self, directory: Path, facts: object) -> None:
        self.folder = directory / SCRATCH_NAME
        wanted = json.dumps([_FORMAT, facts])
        with self._telling():
            self.folder.mkdir(exist_ok=True)
            if not self._open(wanted):
                self.close()
                self.remove()
                self.folder.mkdir()
                self._open(wanted)
            self.database.executescript(_MADE_ANEW)
            self._holds_pictures = bool(self.database.execute("SELECT 1 FROM pictures LIMIT 1").fetchone())

    def knows(self, file: bytes) -> bool:
        """Whether a file with that digest has been looked at, and its pixels are still there as they were."""
        if not self._holds_pictures:  # Of an earlier run.
            return False
        row = self.database.execute("SELECT offset, size, checksum FROM pictures WHERE file = ?", (file,)).fetchone()
        if row is None:
            return False
        offset, size, checksum = row
        return not size or xxhash.xxh3_64_digest(self.pixels(offset, size)) == checksum

    def pixels(self, offset: int, size: int) -> bytes:
        """What `learn` put there; fewer bytes where a power cut took them."""
        return os.pread(self._pixels, size, offset)

    def learn(self, pictures: Iterable[tuple[bytes, Examined]]) -> None:
        """Keeps what files, given by their digests, hold."""
        rows = []
        for file, one in pictures:
            checksum = xxhash.xxh3_64_digest(one.payload)
            place = self._end, len(one.payload)
            rows.append((file, one.problem, one.detail, one.content, one.width, one.height, *place, checksum))
            with self._telling():
                self._write(one.payload)
        with self._telling():
            self.database.executemany("INSERT OR REPLACE INTO pictures VALUES (?,?,?,?,?,?,?,?,?)", rows)

    def add_entries(self, entries: Iterable[tuple[int, PictureEntry]]) -> None:
        """Notes entries with the numbers of their sources."""
        rows = (
            (number, one.name, one.split, one.label, one.reason.value if one.reason else None, one.detail)
            for number, one in entries
        )
        with self._telling():
            self.database.executemany(
                "INSERT INTO entries (source, name, split, label, reason, detail) VALUES (?,?,?,?,?,?)", rows
            )

    def note_files(self, digests: Iterable[tuple[bytes, int]]) -> None:
        """Notes which files entries, given by their numbers, have."""
        with self._telling():
            self.database.executemany("UPDATE entries SET file = ? WHERE id = ?", digests)

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Asks or changes the tables `entries`, `pictures` and `samples`."""
        with self._telling():
            return self.database.execute(statement, values)

    def commit(self) -> None:
        """Makes all that was learned so far survive a kill."""
        with self._telling():
            self.database.commit()

    def close(self) -> None:
        """Lets go of the files."""
        self.database.close()
        os.close(self._pixels)

    def remove(self) -> None:
        """Takes everything away; to be called after `close`."""
        shutil.rmtree(self.folder)

    def _open(self, wanted: str) -> bool:
        """Whether what is there can be gone on with."""
        self._pixels = os.open(self.folder / _PIXELS_NAME, os.O_RDWR | os.O_CREAT, 0o644)
        self._end = os.fstat(self._pixels).st_size
        self.database = sqlite3.connect(self.folder / _INDEX_NAME)
        try:
            self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _KEPT)
            self.database.execute("INSERT OR IGNORE INTO facts VALUES ('made for', ?)", (wanted,))
            self.database.commit()
            found = self.database.execute("SELECT value FROM facts").fetchone()
        except sqlite3.DatabaseError as error:
            if _is_of_the_disk(error):
                raise
            return False
        return bool(found == (wanted,))

    def _write(self, payload: bytes) -> None:
        view = memoryview(payload)
        while view:
            written = os.pwrite(self._pixels, view, self._end)
            self._end += written
            view = view[written:]

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.Error) and not _is_of_the_disk(error):
                raise
            raise write_error(self.folder, error) from error


def _is_of_the_disk(error: sqlite3.Error) -> bool:
    """Full, or failing: not a damaged index, nor a wrong statement."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
