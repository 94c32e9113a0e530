"""The first part of an import: all entries are listed, then every picture is looked at, on all cores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import xxhash

from datagen_server.importing.entry_table import EntryTable
from datagen_server.importing.labels import LabelError, LabelRules
from datagen_server.importing.picture_chunk import examine_chunk
from datagen_server.importing.picture_rows import DIGEST, PICTURE, PROBLEMS, digest_at
from datagen_server.importing.reasons import Reason
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.sources.picture_source import PictureEntry, PictureSource
from datagen_server.workers.executors import Workers
from shared.images.decode import Colour, PictureError
from shared.protocol.codec import Codec

CHUNK_PICTURES, CHUNK_BYTES = 128, 2**20  # Pictures: with 64 an import of small ones took 5% more CPU time.


@dataclass(frozen=True)
class SplitSource:
    """A source, and the split that the user said it is."""

    source: PictureSource
    split: str | None = None
    "None: as its entries say."


def list_entries(sources: Sequence[SplitSource], rules: LabelRules) -> EntryTable:
    """All entries with their final labels."""
    table = EntryTable()
    table.add((number, one) for number, source in enumerate(sources) for one in _entries_of(source, rules))
    return table


def look_at_pictures(
    table: EntryTable,
    scratch: Scratch,
    sources: Sequence[SplitSource],
    workers: Workers,
    ground: Colour,
    codec: Codec,
    advance: Callable[[int], None],
) -> None:
    """Reads every file that has been listed, learns what is in those that are new, and fills `table.pictures`."""
    sent: list[list[bytes]] = []
    files = _files(table, scratch, sources, advance)
    for found in workers.map(partial(examine_chunk, ground=ground, codec=codec), _chunks(files, sent)):
        scratch.learn(np.frombuffer(b"".join(sent.pop(0)), DIGEST), found)
        advance(len(found.rows))
    left = np.fromiter(table.left(), np.int64)
    rows = scratch.pictures_of(table.files[left])
    table.pictures = np.zeros(len(table), PICTURE)
    table.pictures[left] = rows
    for entry, number in zip(left[rows["problem"] > 0].tolist(), rows["problem"][rows["problem"] > 0], strict=True):
        table.skip(entry, Reason(PROBLEMS[number].value), scratch.detail_of(digest_at(table.files, entry)))


def digest_of_file(data: bytes) -> bytes:
    """16 bytes by which a file is known again."""
    return xxhash.xxh3_128_digest(data)


def _entries_of(one: SplitSource, rules: LabelRules) -> Iterator[PictureEntry]:
    for name, split, label, reason, detail in one.source.entries():
        if reason is not None:
            yield PictureEntry(name, one.split or split, label, reason, detail)
            continue
        try:
            yield PictureEntry(name, one.split or split, rules.apply(label))
        except LabelError as error:
            yield PictureEntry(name, one.split or split, label, error.skip_reason, str(error))


def _chunks(files: Iterator[tuple[bytes, bytes]], sent: list[list[bytes]]) -> Iterator[list[bytes]]:
    """Files for one task each; appends their digests to `sent`."""
    digests: list[bytes] = []
    chunk: list[bytes] = []
    num_bytes = 0
    for digest, data in files:
        if chunk and (len(chunk) == CHUNK_PICTURES or num_bytes + len(data) > CHUNK_BYTES):
            sent.append(digests)
            yield chunk
            digests, chunk, num_bytes = [], [], 0
        digests.append(digest)
        chunk.append(data)
        num_bytes += len(data)
    if chunk:
        sent.append(digests)
        yield chunk


def _files(
    table: EntryTable, scratch: Scratch, sources: Sequence[SplitSource], advance: Callable[[int], None]
) -> Iterator[tuple[bytes, bytes]]:
    """Digest and content of every file that is not known yet. Notes the digests, and the files that cannot be read."""
    for entry in table.left():
        try:
            data = sources[table.sources[entry]].source.read(table.names[entry])
        except PictureError as error:
            table.skip(entry, Reason(error.problem.value), str(error))
            advance(1)
            continue
        digest = digest_of_file(data)
        table.files[entry] = digest
        if scratch.knows(digest):
            advance(1)
        else:
            yield digest, data
