"""The least that a service of shards over grpcio and its reader can do: what the contract asks for, and nothing else.

    python -m tests.benchmarks.streaming.minimal_service serve SHARDS
    python -m tests.benchmarks.streaming.minimal_service read HOST:PORT THREADS

Each epoch in another random order. The service reads records where they lie (it has looked up all places before),
compares their checksums and makes messages of them; the reader compares the checksum of each message and decodes it,
THREADS of them at once. Left out is all that makes a service: requests, the cipher of the order, damage that is healed,
reading ahead, many streams, limits of memory, metrics, logs, retries, deadlines, cancelling.
"""

import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from datagen_server.shards.manifest import PLAN_KEY, Manifest, Plan
from datagen_server.shards.record import is_intact, layout_of, record_key
from datagen_server.shards.shard_file import open_tree
from shared.client.channel import OPTIONS
from shared.dataset.spec import DatasetSpec
from shared.protocol.batch import Batch, Records
from shared.protocol.batch_message import encode_batch, read_batch
from shared.protocol.codec import Codec
from shared.system.malloc import keep_freed_blocks, use_one_heap
from tests.benchmarks.turns import BATCH_SIZE, answer_readings

_SERVICE, _METHOD, _SPLIT = "bench.Minimal", "Read", "train"
_Place = tuple[int, int, int]
"File, offset and size of a record."


def serve(directory: Path) -> None:
    """Serves epochs of the training split until its input ends; a request says how many."""
    use_one_heap()
    keep_freed_blocks()
    manifest = Manifest.read(directory)
    places = dict(each for stored in manifest.of_split(_SPLIT) for each in _places(directory / stored.shard.file))

    def read(request: bytes, context: Any) -> Iterator[bytes]:
        for epoch in range(int.from_bytes(request, "little")):
            order = np.random.default_rng(epoch).permutation(len(places)).astype(np.uint64)
            for step, indices in enumerate(np.split(order, len(places) // BATCH_SIZE)):
                yield encode_batch(epoch, step, indices, _records(manifest.plan, places, indices.tolist()))

    handler = grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: grpc.unary_stream_rpc_method_handler(read)})
    server = grpc.server(ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(0)


def _places(file: Path) -> Iterator[tuple[int, _Place]]:
    """Each index with the place of its record."""
    fd = os.open(file, os.O_RDONLY)
    tree = open_tree(fd)
    assert tree is not None
    for entry in tree.walk().entries():
        if entry.key != PLAN_KEY:
            yield int.from_bytes(entry.key, "big"), (fd, entry.offset, entry.size)


def _records(plan: Plan, places: dict[int, _Place], indices: list[int]) -> Records:
    layout, key = layout_of(plan.dataset.spec), record_key(plan.dataset.fingerprint, _SPLIT)
    sizes = [places[index][2] - layout.header_bytes for index in indices]
    images, headers = np.empty(sum(sizes), np.uint8), np.empty((len(indices), layout.header_bytes), np.uint8)
    image_view, header_view, end = images.data, headers.reshape(-1).data, 0
    for number, (index, size) in enumerate(zip(indices, sizes, strict=True)):
        image, end = image_view[end : end + size], end + size
        header = header_view[number * layout.header_bytes : (number + 1) * layout.header_bytes]
        os.preadv(places[index][0], (header, image), places[index][1])
        assert is_intact(key, index, plan.codec, header, image)
    labels = layout.labels(headers, plan.dataset.spec.max_length)
    return Records(plan.codec, [image_view], np.array([] if plan.codec is Codec.RAW else sizes, np.uint32), labels)


def receive(target: str, num_threads: int) -> None:
    """A reader."""
    keep_freed_blocks()
    spec = DatasetSpec()

    def decoded(message: bytes) -> Batch:
        return read_batch(message, spec).decode()

    with grpc.insecure_channel(target, OPTIONS) as channel, ThreadPoolExecutor(num_threads) as threads:
        call = channel.unary_stream(f"/{_SERVICE}/{_METHOD}", None, None)

        def read(epochs: int) -> Iterator[int]:
            waiting = deque[Future[Batch]]()
            for message in call(epochs.to_bytes(4, "little")):
                waiting.append(threads.submit(decoded, message))
                if len(waiting) > num_threads:
                    yield len(waiting.popleft().result())
            while waiting:
                yield len(waiting.popleft().result())

        answer_readings(read)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]))
    else:
        receive(sys.argv[2], int(sys.argv[3]))
