"""The second part of an import: samples in their order, as tasks for workers that make records or shards of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen_server.importing.decide import Samples, all_have
from datagen_server.importing.entry_table import EntryTable
from datagen_server.importing.fill_shard import ShardTask, fill_shard
from datagen_server.importing.picture_chunk import (
    CHUNK_BYTES,
    MAX_KEPT_BYTES,
    Piece,
    PieceChunk,
    digest_of_file,
    write_chunk,
)
from datagen_server.importing.picture_rows import DIGEST, digest_at
from datagen_server.importing.scratch import Scratch
from datagen_server.importing.survey import SplitSource
from datagen_server.shards.manifest import Plan, Shard, StoredShard
from datagen_server.shards.materialize import Found
from datagen_server.shards.pack_records import RecordTarget, Rendered
from datagen_server.shards.record import DIGEST_MODULUS
from datagen_server.shards.shard_writer import chunk_size, publish
from datagen_server.workers.executors import Workers
from shared.dataset.spec import DatasetSpec
from shared.errors import StreamingError, UsageError
from shared.images.decode import PictureError


@dataclass(frozen=True)
class Stock:
    """Where the samples of an import are to be had."""

    table: EntryTable
    scratch: Scratch
    sources: Sequence[SplitSource]
    samples: Samples

    def is_stored_as_kept(self, spec: DatasetSpec) -> bool:
        """Whether every sample has the size of the set, so that its encoded pixels in the scratch are its record's."""
        return spec.image_bytes <= MAX_KEPT_BYTES and all_have(self.table, self.samples, (spec.width, spec.height))


@contextmanager
def open_records(stock: Stock, plan: Plan, workers: Workers, shards: Sequence[Shard]) -> Iterator[Iterator[Rendered]]:
    """The records of `shards`, in order, those of one transaction at a time.

    Where all pictures have the size of the set they are stored as they are: that costs less than asking workers.
    """
    tasks = _tasks(stock, plan, shards)
    if stock.is_stored_as_kept(plan.dataset.spec):
        yield _transactions(map(write_chunk, tasks), plan, shards)
        return
    with closing(workers.map(write_chunk, tasks)) as parts:
        yield _transactions(parts, plan, shards)


def write_stored(
    directory: Path, plan: Plan, stock: Stock, workers: Workers, todo: Sequence[Shard], advance: Callable[[int], None]
) -> Found:
    """Fills shards in workers that see the same files as this process; here they are synced, hashed and named.

    The workers end when the last is filled: an import has no other work for them. The smallest come last, so that they
    end at about the same time.
    """
    todo = sorted(todo, key=lambda shard: -shard.count)
    finishing: dict[Shard, tuple[Future[StoredShard], int]] = {}
    tasks = (_task(directory, plan, stock, shard) for shard in todo)
    # Twice as many finishers: while one waits for the disk, another hashes.
    with ThreadPoolExecutor(2 * workers.num_workers) as finishers, closing(workers.map(fill_shard, tasks)) as filled:
        for shard, (partial, digest) in zip(todo, filled, strict=True):
            finishing[shard] = finishers.submit(publish, partial, directory, shard), digest
            advance(shard.count)
        workers.executor.shutdown(wait=False)
        return {shard: (future.result(), digest) for shard, (future, digest) in finishing.items()}


def _transactions(parts: Iterator[Rendered], plan: Plan, shards: Sequence[Shard]) -> Iterator[Rendered]:
    sizes = [
        min(chunk_size(plan.dataset.spec), shard.count - start)
        for shard in shards
        for start in range(0, shard.count, chunk_size(plan.dataset.spec))
    ]
    for size in sizes:
        of_one = [next(parts)]
        while sum(len(part.ends) - 1 for part in of_one) < size:
            of_one.append(next(parts))
        yield _joined(of_one)


def _tasks(stock: Stock, plan: Plan, shards: Sequence[Shard]) -> Iterator[PieceChunk]:
    """One for each transaction, or several where its pictures are large."""
    dataset, size = plan.dataset, chunk_size(plan.dataset.spec)
    for shard in shards:
        target = RecordTarget(dataset.spec, dataset.fingerprint, plan.codec, shard.split)
        for start in range(0, shard.count, size):
            for pieces in _by_bytes(_pieces(stock, shard.split, shard.indices[start : start + size])):
                yield PieceChunk(target, pieces)


def _task(directory: Path, plan: Plan, stock: Stock, shard: Shard) -> ShardTask:
    entries = stock.samples[shard.split][shard.indices.start : shard.indices.stop]
    labels = [stock.table.labels[entry] for entry in entries.tolist()]
    rows = stock.table.pictures[entries]
    return ShardTask(directory, plan.to_mapping(), shard, stock.scratch.pixels_path, rows, labels)


def _by_bytes(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    num_bytes = 0
    for piece in pieces:
        if group and num_bytes + len(piece.data) > CHUNK_BYTES:
            yield group
            group, num_bytes = [], 0
        group.append(piece)
        num_bytes += len(piece.data)
    yield group


def _pieces(stock: Stock, split: str, indices: range) -> Iterator[Piece]:
    table, scratch = stock.table, stock.scratch
    entries = stock.samples[split][indices.start : indices.stop]
    pictures = table.pictures[entries]
    contents, size = pictures["content"].tobytes(), DIGEST.itemsize
    columns = (pictures[name].tolist() for name in ("width", "height", "offset", "size", "checksum"))
    for number, (entry, width, height, *place) in enumerate(zip(entries.tolist(), *columns, strict=True)):
        content = contents[number * size : (number + 1) * size]
        if not place[1]:
            yield Piece(indices[number], table.labels[entry], content, None, _file(stock, entry))
            continue
        data = scratch.pixels(*place)
        if data is None:
            raise StreamingError(f"{scratch.folder} is damaged; run it again")
        yield Piece(indices[number], table.labels[entry], content, (width, height), data)


def _file(stock: Stock, entry: int) -> bytes:
    """The file of a large picture, a second time."""
    where, name = stock.sources[stock.table.sources[entry]].source, stock.table.names[entry]
    try:
        data = where.read(name)
    except PictureError as error:
        raise UsageError(f"{where.origin}: {name} {error}") from error
    if digest_of_file(data) != digest_at(stock.table.files, entry):
        raise UsageError(f"{where.origin}: {name} has changed since it was looked at; run it again")
    return data


def _joined(parts: Sequence[Rendered]) -> Rendered:
    if len(parts) == 1:
        return parts[0]
    ends = [0]
    for part in parts:
        ends += [ends[-1] + end for end in part.ends[1:]]
    digest = sum(part.digest for part in parts) % DIGEST_MODULUS
    return Rendered(np.concatenate([part.joined for part in parts]), tuple(ends), digest)
