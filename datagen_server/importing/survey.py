"""The first part of an import: all entries are listed, then every picture is looked at, on all cores."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from datagen_server.importing.entry_table import Entry, EntryTable
from datagen_server.importing.labels import LabelError, LabelRules
from datagen_server.importing.picture_chunk import CHUNK_BYTES, Examined, digest_of_file, examine_chunk
from datagen_server.importing.picture_rows import PICTURE, PROBLEMS, digest_at
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.sources.picture_source import PictureSource
from datagen_server.importing.sources.reasons import Reason
from datagen_server.workers.executors import Workers
from shared.images.decode import Colour, PictureError
from shared.protocol.codec import Codec

CHUNK_PICTURES = 256  # With 128 an import of small pictures took 4% longer.
_LATE_CHUNK_PICTURES = 32  # For the last ones, so that the workers end at about the same time.
_Files = Iterable[tuple[int, bytes | str]]
"Entries, each with the bytes of its file or its path."


@dataclass(frozen=True)
class SplitSource:
    """A source, and the split that the user said it is."""

    source: PictureSource
    split: str | None = None
    "None: as its entries say."


def list_entries(sources: Sequence[SplitSource], rules: LabelRules) -> EntryTable:
    """All entries with their final labels."""
    table = EntryTable()
    for number, source in enumerate(sources):
        table.add(number, _entries_of(source, rules))
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
    pixels_file = scratch.pixels_path if workers.are_here else None
    examine = partial(examine_chunk, ground=ground, codec=codec, pixels_file=pixels_file)
    # To know a file again takes its bytes, and what is known is kept here.
    files: _Files = _files(table, scratch, sources, advance, are_sent=not (workers.are_here and scratch.is_new))
    late = len(table) - 2 * CHUNK_PICTURES * workers.num_workers
    while files:
        sent: list[list[tuple[int, bytes | str]]] = []
        again: list[tuple[int, bytes | str]] = []  # A worker leaves the last of a chunk when its files are large.
        for found in workers.map(examine, _chunks(files, sent, late)):
            chunk = sent.pop(0)
            _note(table, [entry for entry, _ in chunk[: found.num_files]], found)
            again += chunk[found.num_files :]
            scratch.learn(found)
            advance(found.num_files)
        files = again
    left = np.fromiter(table.left(), np.int64)
    rows = scratch.pictures_of(table.files[left])
    table.pictures = np.zeros(len(table), PICTURE)
    table.pictures[left] = rows
    for entry, number in zip(left[rows["problem"] > 0].tolist(), rows["problem"][rows["problem"] > 0], strict=True):
        table.skip(entry, Reason(PROBLEMS[number].value), scratch.detail_of(digest_at(table.files, entry)))


def _entries_of(one: SplitSource, rules: LabelRules) -> Iterator[Entry]:
    for name, split, label, reason, detail in one.source.entries():
        if reason is None:
            try:
                label = rules.apply(label)
            except LabelError as error:
                reason, detail = error.skip_reason, str(error)
        yield name, one.split or split, label, reason, detail


def _note(table: EntryTable, entries: Sequence[int], found: Examined) -> None:
    for place, (problem, detail) in found.unreadable.items():
        table.skip(entries[place], Reason(problem.value), detail)
    table.files[[entry for place, entry in enumerate(entries) if place not in found.unreadable]] = found.rows["file"]


def _chunks(files: _Files, sent: list[list[tuple[int, bytes | str]]], late: int) -> Iterator[list[bytes | str]]:
    """Files for one task each, small tasks from the entry `late` on; appends them with their entries to `sent`."""
    chunk: list[tuple[int, bytes | str]] = []
    num_bytes = 0
    for entry, file in files:
        size = len(file) if isinstance(file, bytes) else 0
        is_full = len(chunk) >= (CHUNK_PICTURES if entry < late else _LATE_CHUNK_PICTURES)
        if chunk and (is_full or num_bytes + size > CHUNK_BYTES):
            sent.append(chunk)
            yield [one for _, one in chunk]
            chunk, num_bytes = [], 0
        chunk.append((entry, file))
        num_bytes += size
    if chunk:
        sent.append(chunk)
        yield [one for _, one in chunk]


def _files(
    table: EntryTable,
    scratch: Scratch,
    sources: Sequence[SplitSource],
    advance: Callable[[int], None],
    *,
    are_sent: bool,
) -> Iterator[tuple[int, bytes | str]]:
    """Every file that is not known yet, with its entry. Notes those that are known, and those that cannot be read.

    are_sent: whether workers get the bytes of all files, not the paths of those that have one.
    """
    for entry in table.left():
        source, name = sources[table.sources[entry]].source, table.names[entry]
        if not are_sent and (path := source.path_of(name)) is not None:
            yield entry, path
            continue
        try:
            data = source.read(name)
        except PictureError as error:
            table.skip(entry, Reason(error.problem.value), str(error))
            advance(1)
            continue
        digest = digest_of_file(data)
        table.files[entry] = digest
        if scratch.knows(digest):
            advance(1)
        else:
            yield entry, data
