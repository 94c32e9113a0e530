"""The open shards of a source: opened at first use, their digest compared, the oldest let go when they are too many."""

import logging
import os
import threading
from pathlib import Path

from datagen_server.shards import digest_cache as checked
from datagen_server.shards.manifest import Plan, StoredShard
from datagen_server.shards.shard_file import Identity, ShardFile, identity
from shared.errors import DataLoss, Unavailable

_log = logging.getLogger(__name__)


class OpenShards:
    """Gives open shards by their manifest entry. Any number of threads may share it.

    A file whose size or digest is wrong is opened all the same and the log says so: its records prove themselves.
    """

    def __init__(self, directory: Path, plan: Plan, max_open: int) -> None:
        self._directory, self._plan, self._max_open = directory, plan, max_open
        self._files: dict[str, ShardFile] = {}
        self._checked: dict[str, Identity | None] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, stored: StoredShard) -> ShardFile | None:
        """The open shard, or None when there is no such file; the first time this reads the whole file for its digest.

        Raises `Unavailable` after `close`.
        """
        file = self._files.get(stored.shard.file)
        return file or self._open(stored)

    def renew(self, stored: StoredShard) -> None:
        """Called after damage: opens the file anew next time if somebody has replaced or mended it since."""
        name = stored.shard.file
        with self._lock:
            file = self._files.get(name)
            if file and _identity(self._directory / name) != file.identity:
                del self._files[name]

    def close(self) -> None:
        """Lets go of all files; each closes when the reads under way are done with it."""
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
            try:
                file = ShardFile(path, self._plan, stored.shard)
            except OSError:
                self._check_once(path, stored, None)
                return None
            self._check_once(path, stored, file.identity)
            while len(self._files) >= self._max_open:
                del self._files[next(iter(self._files))]
            self._files[name] = file
            return file

    def _check_once(self, path: Path, stored: StoredShard, found: Identity | None) -> None:
        """Logs what is wrong with a file, unless this very file has been looked at before."""
        if self._checked.get(path.name, ()) != found:
            self._checked[path.name] = found
            if problem := damage(path, stored):
                _log.warning("%s %s; its records are checked one by one; run verify --repair", path.name, problem)


def damage(path: Path, stored: StoredShard) -> str:
    """How the file at `path` differs from what the manifest says of it; empty when it does not."""
    try:
        size = path.stat().st_size
        if size != stored.size_bytes:
            return f"has {size} bytes, the manifest says {stored.size_bytes}"
        if checked.sha256_of(path) != stored.sha256:
            return "has another SHA-256 than the manifest says"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    except DataLoss as error:
        return str(error)
    return ""


def _identity(path: Path) -> Identity | None:
    try:
        return identity(os.stat(path))
    except OSError:
        return None
