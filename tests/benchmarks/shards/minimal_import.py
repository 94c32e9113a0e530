"""The least that makes shards of pictures in an order of their pixels: for `bench_import`, as a bound of an import.

It reads, decodes, digests and compresses as an import does and writes, syncs and hashes files of as many bytes. It has
no labels, splits, records, checksums, duplicates or report, counts no bad picture, and a killed one begins again.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import lmdb
import numpy as np
from numpy.typing import NDArray

from datagen_server.shards import DEFAULT_SHARD_SIZE
from datagen_server.shards.record import content_of
from datagen_server.shards.shard_writer import key_of
from datagen_server.workers.executors import process_workers
from shared.images.decode import decode_quietly, quiet_pillow
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode

_PICTURES_A_TASK, _RECORDS_A_TRANSACTION = 128, 64
_MAP_BYTES = 2**32
_PLACE = np.dtype([("content", "S16"), ("offset", "<u8"), ("size", "<u4")])


def import_least(pictures: Path, out: Path, num_workers: int, codec: Codec) -> None:
    """Files in `out`, of the pictures in the folder `pictures`."""
    out.mkdir()
    pixels = out / "pixels"
    pixels.touch()
    with process_workers(num_workers, _look, _fill) as workers:
        paths = sorted(entry.path for entry in os.scandir(pictures))
        starts = range(0, len(paths), _PICTURES_A_TASK)
        tasks = ((paths[start : start + _PICTURES_A_TASK], pixels, codec) for start in starts)
        places = np.concatenate(list(workers.map(_look, tasks)))
        places = places[np.argsort(places["content"])]
        starts = range(0, len(places), DEFAULT_SHARD_SIZE)
        shards = ((places[start : start + DEFAULT_SHARD_SIZE], pixels, out / f"{start}.lmdb") for start in starts)
        for _ in workers.map(_fill, shards):
            pass
    pixels.unlink()


def _look(task: tuple[Sequence[str], Path, Codec]) -> NDArray[np.void]:
    paths, pixels, codec = task
    contents, payloads = [], []
    with quiet_pillow():
        for path in paths:
            image = decode_quietly(Path(path).read_bytes())
            contents.append(content_of(image))
            payloads.append(encode(image, codec))
    places = np.zeros(len(paths), _PLACE)
    places["content"], places["size"] = contents, list(map(len, payloads))
    with open(pixels, "ab", buffering=0) as file:
        file.write(b"".join(payloads))
        places["offset"] = file.tell() - np.cumsum(places["size"][::-1])[::-1]
    return places


def _fill(task: tuple[NDArray[np.void], Path, Path]) -> str:
    places, pixels, path = task
    with (
        open(pixels, "rb", buffering=0) as file,
        lmdb.open(str(path), subdir=False, lock=False, sync=False, map_size=_MAP_BYTES) as shard,
    ):
        for start in range(0, len(places), _RECORDS_A_TRANSACTION):
            part = places[start : start + _RECORDS_A_TRANSACTION]
            columns = part["size"].tolist(), part["offset"].tolist()
            records = [os.pread(file.fileno(), size, offset) for size, offset in zip(*columns, strict=True)]
            with shard.begin(write=True) as transaction:
                items = [(key_of(start + number), record) for number, record in enumerate(records)]
                transaction.cursor().putmulti(items, append=True)
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
