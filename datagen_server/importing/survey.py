"""The first part of an import: all entries are listed, then every picture is looked at, on all cores."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import xxhash

from datagen_server.importing.labels import LabelError, LabelRules
from datagen_server.importing.picture_chunk import examine_chunk
from datagen_server.importing.reasons import Reason
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.sources.picture_source import PictureEntry, PictureSource
from datagen_server.workers.executors import Workers
from shared.images.decode import Colour, PictureError
from shared.protocol.codec import Codec

CHUNK_PICTURES, CHUNK_BYTES = 64, 2**22
_COMMIT_INTERVAL_S = 2.0
_LISTED_AT_ONCE = 4096


@dataclass(frozen=True)
class SplitSource:
    """A source, and the split that the user said it is."""

    source: PictureSource
    split: str | None = None
    "None: as its entries say."


def list_entries(scratch: Scratch, sources: Sequence[SplitSource], rules: LabelRules) -> int:
    """Notes all entries with their final labels; returns how many pictures are to be looked at."""
    with_numbers = ((number, one) for number, source in enumerate(sources) for one in _entries_of(source, rules))
    scratch.add_entries(with_numbers)
    scratch.commit()
    (count,) = scratch.execute("SELECT count(*) FROM entries WHERE reason IS NULL").fetchone()
    return int(count)


def look_at_pictures(
    scratch: Scratch,
    sources: Sequence[SplitSource],
    workers: Workers,
    ground: Colour,
    codec: Codec,
    advance: Callable[[int], None],
) -> None:
    """Reads every file that has been listed and learns what is in those that are new."""
    sent: list[list[bytes]] = []
    files = _files(scratch, sources, advance)
    examined = workers.map(partial(examine_chunk, ground=ground, codec=codec), _chunks(files, sent))
    committed = time.monotonic()
    for chunk in examined:
        scratch.learn(zip(sent.pop(0), chunk, strict=True))
        advance(len(chunk))
        if time.monotonic() > committed + _COMMIT_INTERVAL_S:
            scratch.commit()
            committed = time.monotonic()
    scratch.commit()


def digest_of_file(data: bytes) -> bytes:
    """16 bytes by which a file is known again."""
    return xxhash.xxh3_128_digest(data)


def _entries_of(one: SplitSource, rules: LabelRules) -> Iterator[PictureEntry]:
    for listed in one.source.entries():
        split = one.split or listed.split
        if listed.reason is not None:
            yield replace(listed, split=split)
            continue
        try:
            yield PictureEntry(listed.name, split, rules.apply(listed.label))
        except LabelError as error:
            yield PictureEntry(listed.name, split, listed.label, error.skip_reason, str(error))


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
    scratch: Scratch, sources: Sequence[SplitSource], advance: Callable[[int], None]
) -> Iterator[tuple[bytes, bytes]]:
    """Digest and content of every file that is not known yet. Notes the digests, and the files that cannot be read."""
    last = 0
    while rows := scratch.execute(
        "SELECT id, source, name FROM entries WHERE id > ? AND reason IS NULL ORDER BY id LIMIT ?",
        (last, _LISTED_AT_ONCE),
    ).fetchall():
        last = rows[-1][0]
        digests: list[tuple[bytes, int]] = []
        for entry, source, name in rows:
            try:
                data = sources[source].source.read(name)
            except PictureError as error:
                scratch.execute(
                    "UPDATE entries SET reason = ?, detail = ? WHERE id = ?",
                    (Reason(error.problem.value).value, str(error), entry),
                )
                advance(1)
                continue
            digest = digest_of_file(data)
            digests.append((digest, entry))
            if scratch.knows(digest):
                advance(1)
            else:
                yield digest, data
        scratch.note_files(digests)
