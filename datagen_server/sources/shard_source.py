"""Shards as a `SampleSource`: records are sent as they are stored.

What is in memory is read at once, by the caller: so it is sent while it is still in the cache of its core. Of several
callers none does that before its turn, and one at a time: many threads that read would wait for the interpreter's lock.
All else is left to a thread of the source's own, so that a batch is read while the one before it is sent. That asks the
disk for all the rest at once, and then waits: a disk or a network file system answers many requests in the time of one.

Note: a shard whose digest is wrong is still read, record by record, since every record has a checksum. A damaged record
is rendered again when the fingerprint allows it, and otherwise refused with an error that names it.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen_server.shards.manifest import Manifest, StoredShard
from datagen_server.shards.record import layout_of
from datagen_server.shards.shard_cache import ShardCache
from datagen_server.shards.shard_file import ShardFile
from datagen_server.sources.heal import Healer
from datagen_server.sources.record_reads import RecordReads
from datagen_server.sources.sample_source import DamageCounts
from shared.dataset.fonts import NO_FONTS, FontFiles
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode
from shared.system.limits import num_cores
from shared.system.open_files import limit

_LOG = logging.getLogger(__name__)
_MAX_OPEN, _MAX_PLACES = 512, 2**22
"""Open shards, and samples whose places in them are kept, of 12 bytes each. Above four million samples the places of
the others are looked up each time; above 512 shards some are closed and opened again all the time."""

_NAMES_SHOWN = 3
_Payloads = list[bytes | memoryview]


class ShardSource:
    """Serves the complete set of shards in `directory`; raises `UsageError` when there is none.

    Memory does not grow with the number of samples: at most 50 MB for the records' places, and some hundred bytes for
    each shard.
    """

    kind = "shards"
    is_rendered = False

    def __init__(self, directory: Path, max_open: int = _MAX_OPEN, font_files: FontFiles = NO_FONTS) -> None:
        """font_files: of the spec's fonts, for rendering damaged records again."""
        manifest = Manifest.read(directory)
        # Half of the files that may be open are left to everything else: connections, pages, notes.
        max_open = max(1, min(max_open, limit() // 2))
        self._max_open = max_open
        self._codec, self._shard_size = manifest.plan.codec, manifest.plan.shard_size
        self.dataset = manifest.plan.dataset
        self.codecs = (self._codec, *(codec for codec in Codec if codec is not self._codec))
        self.damage = DamageCounts()
        self._healer = Healer(self.dataset, self.damage, font_files)
        self._layout = layout_of(self.dataset.spec)
        self._stored = {split: manifest.of_split(split) for split in self.dataset.counts}
        self._shard_cache = ShardCache(directory, manifest.plan, max_open, _MAX_PLACES)
        self._warn_of_missing(directory, [stored.shard.file for stored in manifest.shards])
        self._reader = ThreadPoolExecutor(1, "read-shards")
        self._left_to_reader = set[Future[Records]]()
        self._reading_now = threading.Lock()
        self._transcoders = ThreadPoolExecutor(num_cores(), "transcode-shards")

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """See `SampleSource`. Another codec than the stored one costs decoding and encoding."""
        parts = self._parts(split, indices.tolist())
        if codec is not self._codec:
            return self._transcoders.submit(self._read, split, parts, codec)
        if len(parts) > 1 or self._left_to_reader or not self._reading_now.acquire(blocking=False):
            return self._leave_to_reader(self._read, split, parts, codec)
        future: Future[Records] = Future()
        try:
            part = self._open_part(split, parts[0])
            if not part.read_cached():
                return self._leave_to_reader(self._finish, split, part, codec)
            future.set_result(self._finish(split, part, codec))
        except Exception as error:  # It is for whoever asks for the result, as with the other threads.
            future.set_exception(error)
        finally:
            self._reading_now.release()
        return future

    def close(self) -> None:
        """Closes the files; reads under way are finished, later ones raise `Unavailable`."""
        self._shard_cache.close()

    def _leave_to_reader(self, function: Callable[..., Records], *arguments: object) -> "Future[Records]":
        future = self._reader.submit(function, *arguments)
        self._left_to_reader.add(future)
        future.add_done_callback(self._left_to_reader.discard)
        return future

    def _read(self, split: str, parts: Sequence[Sequence[int]], codec: Codec) -> Records:
        read = [self._finish(split, self._open_part(split, part), codec) for part in parts]
        if len(read) == 1:
            return read[0]
        payloads = [payload for part in read for payload in part.payloads]
        sizes, labels = [part.image_sizes for part in read], [part.labels for part in read]
        return Records(codec, payloads, np.concatenate(sizes), np.concatenate(labels))

    def _parts(self, split: str, indices: Sequence[int]) -> list[Sequence[int]]:
        """The indices in order, cut so that no part needs more files than may be open; hardly ever more than one."""
        if len(self._stored[split]) <= self._max_open:
            return [indices]
        parts: list[list[int]] = [[]]
        numbers: set[int] = set()
        for index in indices:
            number = index // self._shard_size
            if number not in numbers and len(numbers) == self._max_open:
                parts.append([])
                numbers.clear()
            numbers.add(number)
            parts[-1].append(index)
        return list(parts)

    def _open_part(self, split: str, indices: Sequence[int]) -> RecordReads:
        shards, numbers = self._stored[split], [index // self._shard_size for index in indices]
        files = {number: self._file(shards[number]) for number in set(numbers)}
        return RecordReads([files[number] for number in numbers], indices, self._layout.header_bytes)

    def _finish(self, split: str, part: RecordReads, codec: Codec) -> Records:
        damaged, payloads = part.read_rest(), part.payloads
        labels = self._layout.labels(part.headers, self.dataset.spec.max_length)
        for place in damaged:
            index = part.indices[place]
            stored = self._stored[split][index // self._shard_size]
            self._shard_cache.renew(stored)
            payloads[place], labels[place] = self._heal(stored, index)
        if codec is not self._codec:
            return self._transcoded(payloads, labels, codec)
        return _records(codec, payloads if damaged else [part.joined], [len(one) for one in payloads], labels)

    def _file(self, stored: StoredShard) -> ShardFile | None:
        file = self._shard_cache.get(stored)
        if file is None:
            self.damage.missing.add(stored.shard.file)
        elif self.damage.missing:
            self.damage.missing.discard(stored.shard.file)
        return file

    def _warn_of_missing(self, directory: Path, names: Sequence[str]) -> None:
        there = set(os.listdir(directory))
        if missing := [name for name in names if name not in there]:
            self.damage.missing.update(missing)
            shown = ", ".join(missing[:_NAMES_SHOWN]) + (", ..." if len(missing) > _NAMES_SHOWN else "")
            outcome = "are rendered again when they are read" if not self._healer.refusal else "are refused"
            problem = f"{len(missing)} of {len(names)} shard files are missing in {directory} ({shown})"
            _LOG.warning("%s; their samples %s; verify --repair makes the files again", problem, outcome)

    def _heal(self, stored: StoredShard, index: int) -> tuple[bytes, NDArray[np.uint16]]:
        image, label = self._healer.sample(stored.shard, index)
        return encode(image, self._codec), label

    def _transcoded(self, payloads: _Payloads, labels: NDArray[np.uint16], codec: Codec) -> Records:
        images = decode(payloads, self._codec, self.dataset.spec.image_shape)
        if codec is Codec.RAW:
            return _records(codec, [images.reshape(-1).data], [], labels)
        encoded: _Payloads = [encode(image, codec) for image in images]
        return _records(codec, encoded, [len(payload) for payload in encoded], labels)


def _records(codec: Codec, payloads: _Payloads, sizes: Sequence[int], labels: NDArray[np.uint16]) -> Records:
    """With `Codec.RAW` all images have the same size, and no sizes are given."""
    return Records(codec, payloads, np.array([] if codec is Codec.RAW else sizes, np.uint32), labels)
