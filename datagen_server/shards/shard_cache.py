"""A cache of open shards: opened at first use, with their digest compared; the least recently used closed first.

Not a library's cache: those are written in Python and not safe for threads, and every batch looks up its shards here.
"""

import logging
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from itertools import islice
from pathlib import Path

from datagen_server.shards import digest_cache
from datagen_server.shards.manifest import Plan, StoredShard
from datagen_server.shards.shard_file import Identity, ShardFile, identity
from shared.errors import DataLoss, Unavailable
from shared.system.open_files import check_handles, is_out_of_handles

_LOG = logging.getLogger(__name__)


class ShardCache:
    """Gives open shards by their manifest entry, at most `max_open` at a time. Any number of threads may share it.

    A file whose size or digest is wrong is opened all the same, with a line in the log: each record has a checksum.
    """

    def __init__(self, directory: Path, plan: Plan, max_open: int, max_places: int) -> None:
        """max_places: of records, which all open shards together may keep in memory."""
        self._directory, self._plan, self._max_open, self._max_places = directory, plan, max_open, max_places
        self._files: OrderedDict[str, ShardFile] = OrderedDict()
        "The least recently used first."
        self._compared: dict[str, Identity | None] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, stored: StoredShard) -> ShardFile | None:
        """The open shard, or None when there is no such file; the first time this reads the whole file for its digest.

        Raises `Unavailable` after `close`.
        """
        # Without the lock, which is held while a file is hashed.
        file = self._files.get(stored.shard.file)
        if file is None:
            return self._open(stored)
        with suppress(KeyError):  # Closed by another thread in this moment.
            self._files.move_to_end(stored.shard.file)
        return file

    def renew(self, stored: StoredShard) -> None:
        """Called after damage: the file is opened again at its next use if it has been replaced or changed since."""
        name = stored.shard.file
        with self._lock:
            file = self._files.get(name)
            if file and _identity(self._directory / name) != file.identity:
                del self._files[name]

    def close(self) -> None:
        """Removes all files; each is closed when the reads under way no longer need it."""
        with self._lock:
            self._closed = True
            self._files.clear()

    def _open(self, stored: StoredShard) -> ShardFile | None:
        name = stored.shard.file
        with self._lock:
            if self._closed:
                raise Unavailable("the shards have been closed")
            if name in self._files:
                return self._files[name]
            path = self._directory / name
            file = self._open_file(path, stored)
            if file is None:
                self._compare_once(path, stored, None)
                return None
            self._compare_once(path, stored, file.identity)
            while len(self._files) >= self._max_open:
                self._files.popitem(last=False)
            self._files[name] = file
            return file

    def _open_file(self, path: Path, stored: StoredShard) -> ShardFile | None:
        """None when the file cannot be opened; too many open files are closed, the least recently used ones first."""
        while True:
            staying = islice(reversed(self._files.values()), self._max_open - 1)
            num_places = stored.shard.count + sum(file.num_places for file in staying)
            try:
                return ShardFile(path, self._plan, stored.shard, keep_places=num_places <= self._max_places)
            except OSError as error:
                if not is_out_of_handles(error):
                    return None
                if not self._files:
                    check_handles(error)
                self._files.popitem(last=False)

    def _compare_once(self, path: Path, stored: StoredShard, found: Identity | None) -> None:
        """Logs how a file differs from the manifest, unless this same file has been compared before."""
        if self._compared.get(path.name, ()) != found:
            try:
                problem = difference(path, stored)
            except Unavailable:  # No file can be opened at the moment: at the next opening, then.
                return
            self._compared[path.name] = found
            if problem:
                _LOG.warning("%s %s; its records are checked one by one; run verify --repair", path.name, problem)


def difference(path: Path, stored: StoredShard) -> str:
    """How the file at `path` differs from its entry in the manifest; empty when it does not."""
    try:
        size = path.stat().st_size
        if size != stored.size_bytes:
            return f"has {size} bytes, the manifest says {stored.size_bytes}"
        if digest_cache.sha256_of(path) != stored.sha256:
            return "has another SHA-256 than the manifest says"
    except OSError as error:
        check_handles(error)
        return f"cannot be opened: {error.strerror}"
    except DataLoss as error:
        return str(error)
    return ""


def _identity(path: Path) -> Identity | None:
    try:
        return identity(os.stat(path))
    except OSError:
        return None
