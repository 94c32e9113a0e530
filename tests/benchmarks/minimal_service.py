"""The least that a service of shards over grpcio and its reader can do: what the contract asks for, and nothing else.

    python -m tests.benchmarks.minimal_service serve SHARDS
    python -m tests.benchmarks.minimal_service read HOST:PORT CODEC THREADS

Each epoch in another random order. For each message the service reads the records where they lie (it has looked up all
places before), hashes each, joins them and hashes the message; the reader hashes the message and decodes it, THREADS of
them at once. Left out is what makes a service: requests, the cipher of the order, messages of protobuf, damage that is
healed, several streams, limits of memory, metrics, logs, retries, deadlines, cancelling.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import xxhash
from numpy.typing import NDArray

from datagen_server.shards.lmdb_reader import Entry
from datagen_server.shards.manifest import PLAN_KEY, Manifest
from datagen_server.shards.record import layout_of
from datagen_server.shards.shard_file import open_tree
from shared.client.channel import OPTIONS
from shared.dataset.spec import DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode_joined
from shared.system.malloc import keep_freed_blocks, use_one_heap
from tests.benchmarks.turns import BATCH_SIZE, answer_readings

_SERVICE, _METHOD = "bench.Minimal", "Read"
_DIGEST_BYTES = 8
_Place = tuple[int, Entry]


def serve(directory: Path) -> None:
    """Serves epochs of the training split until its input ends; a request says how many."""
    use_one_heap()
    keep_freed_blocks()
    manifest = Manifest.read(directory)
    header_bytes = layout_of(manifest.plan.dataset.spec).header_bytes
    places = [place for stored in manifest.of_split("train") for place in _places(directory / stored.shard.file)]

    def read(request: bytes, context: Any) -> Iterator[bytes]:
        for epoch in range(int.from_bytes(request, "little")):
            order = np.random.default_rng(epoch).permutation(len(places))
            for indices in np.split(order, len(places) // BATCH_SIZE):
                yield _message([places[index] for index in indices.tolist()], header_bytes)

    handler = grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: grpc.unary_stream_rpc_method_handler(read)})
    server = grpc.server(ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(0)


def _places(file: Path) -> Iterator[_Place]:
    fd = os.open(file, os.O_RDONLY)
    tree = open_tree(fd)
    assert tree is not None
    yield from ((fd, entry) for entry in tree.walk().entries() if entry.key != PLAN_KEY)


def _message(places: list[_Place], header_bytes: int) -> bytes:
    """Digest, sizes, headers and images of a batch."""
    sizes = [entry.size - header_bytes for _, entry in places]
    images, headers = np.empty(sum(sizes), np.uint8).data, bytearray(header_bytes * len(places))
    header_views, end = memoryview(headers), 0
    for number, ((fd, entry), size) in enumerate(zip(places, sizes, strict=True)):
        image, end = images[end : end + size], end + size
        header = header_views[number * header_bytes : (number + 1) * header_bytes]
        os.preadv(fd, (header, image), entry.offset)
        xxhash.xxh3_64_intdigest(image, xxhash.xxh3_64_intdigest(header))
    return b"".join([xxhash.xxh3_64_digest(images), np.array(sizes, "<u4").tobytes(), headers, images])


def receive(target: str, codec: Codec, num_threads: int) -> None:
    """A reader."""
    keep_freed_blocks()
    spec = DatasetSpec()
    start = _DIGEST_BYTES + BATCH_SIZE * (4 + layout_of(spec).header_bytes)

    def decoded(message: bytes) -> NDArray[np.uint8]:
        images = memoryview(message)[start:]
        assert xxhash.xxh3_64_digest(images) == message[:_DIGEST_BYTES]
        if codec is Codec.RAW:
            return np.frombuffer(images, np.uint8).reshape(BATCH_SIZE, *spec.image_shape)
        sizes = np.frombuffer(message, "<u4", BATCH_SIZE, _DIGEST_BYTES)
        return decode_joined(images, sizes.tolist(), codec, spec.image_shape)

    with grpc.insecure_channel(target, OPTIONS) as channel, ThreadPoolExecutor(num_threads) as threads:
        call = channel.unary_stream(f"/{_SERVICE}/{_METHOD}", None, None)

        def read(epochs: int) -> Iterator[int]:
            messages = call(epochs.to_bytes(4, "little"))
            for images in _ahead(messages, decoded, threads, num_threads):
                yield len(images)

        answer_readings(read)


def _ahead(
    messages: Iterable[bytes],
    decoded: Callable[[bytes], NDArray[np.uint8]],
    threads: ThreadPoolExecutor,
    num_ahead: int,
) -> Iterator[NDArray[np.uint8]]:
    waiting = deque[Future[NDArray[np.uint8]]]()
    for message in messages:
        waiting.append(threads.submit(decoded, message))
        if len(waiting) > num_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]))
    else:
        receive(sys.argv[2], Codec(sys.argv[3]), int(sys.argv[4]))
