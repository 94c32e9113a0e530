"""The sides that the streaming benchmarks compare: our service over shards, a bare socket, tf.data service."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from datagen_server.cli import main as datagen_server
from datagen_server.sources.shard_source import ShardSource
from shared.client import connect
from shared.client.service import Service
from shared.protocol.codec import Codec
from shared.protocol.messages import request_message
from tests.benchmarks.turns import BATCH_SIZE, Side, module, opened

_BENCHMARKS = __package__


@dataclass(frozen=True)
class Stored:
    """A set of shards to stream."""

    directory: Path
    codec: Codec
    num_samples: int


@contextmanager
def materialized(num_samples: int, codec: Codec) -> Iterator[Stored]:
    """Shards of the default data set, for as long as they are needed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        directory = Path(folder, "shards")
        counts = [f"train={num_samples}", f"test={BATCH_SIZE}"]
        command = ["materialize", "--out", str(directory), "--codec", codec.value, "--count", *counts]
        if code := datagen_server(command):
            raise SystemExit(code)
        yield Stored(directory, codec, num_samples)


def service(
    stored: Stored,
    ranks: int,
    *,
    name: str = "service",
    dataset: bool = False,
    serve: Sequence[object] = (),
    read: Sequence[object] = (),
) -> AbstractContextManager[Side]:
    """Our service, and as many readers as there are ranks: through the client, or through GeneratorDataset.

    serve, read: more options of the two.
    """
    options = ["--shards", stored.directory, "--listen", "127.0.0.1:0", "--stop-with-stdin", *serve]
    how = ["--codec", stored.codec.value, "--ranks", ranks, *read]
    reader = f"{_BENCHMARKS}.{'read_dataset' if dataset else 'read_stream'}"
    readers = [module(reader, "SERVER", *how, "--rank", rank) for rank in range(ranks)]
    return opened(name, module("datagen_server", "serve", *options), readers)


def bare_socket(stored: Stored, ranks: int, image_bytes: float) -> AbstractContextManager[Side]:
    """A bare socket that moves as many bytes to as many readers; image_bytes: of an image, and all that goes along."""
    size = round(image_bytes * BATCH_SIZE), stored.num_samples // (BATCH_SIZE * ranks)
    name = f"{_BENCHMARKS}.bare_socket"
    return opened("bare socket", module(name, "send", *size), [module(name, "receive", "SERVER", *size)] * ranks)


def minimal_service(stored: Stored, *, threads: int, name: str) -> AbstractContextManager[Side]:
    """The least that a service of these shards over grpcio and its reader can do; threads: that decode."""
    program = f"{_BENCHMARKS}.minimal_service"
    reader = module(program, "read", "SERVER", threads)
    return opened(name, module(program, "serve", stored.directory), [reader])


@contextmanager
def tfdata_service(stored: Stored, python: str) -> Iterator[Side]:
    """tf.data service, uncompressed, in the environment of `python`, over the pixels and labels of `stored`."""
    name = f"{_BENCHMARKS}.peer_tfdata"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        samples = Path(folder, "samples.npz")
        reader = [samples.with_suffix(".tfrecord"), *_export(stored, samples)]
        server = module(name, "serve", samples, python=python)
        with opened("tf.data service", server, [module(name, "read", "SERVER", *reader, python=python)]) as side:
            yield side


def message_bytes_per_image(side: Side, codec: Codec) -> float:
    """What the service sends for an image: of the messages of 16 batches, before HTTP/2 frames them."""
    target = side.server.ready_line.split()[-1]
    with connect(target) as client:
        request = client.request("train", global_batch_size=BATCH_SIZE, codec=codec)
    source = Service(target)
    messages = list(islice(source.stream_batches(request_message(request)), 16))
    source.close()
    return sum(map(len, messages)) / (len(messages) * BATCH_SIZE)


def _export(stored: Stored, path: Path) -> tuple[int, int]:
    """Writes the training split's samples in the order of their indices; returns height and width."""
    source, indices = ShardSource(stored.directory), np.arange(stored.num_samples, dtype=np.uint64)
    try:
        records = source.read("train", indices, Codec.RAW).result()
        spec = source.dataset.spec
        images = np.concatenate([np.frombuffer(payload, np.uint8) for payload in records.payloads])
        np.savez(path, images=images.reshape(-1, *spec.image_shape), labels=records.labels)
        return spec.height, spec.width
    finally:
        source.close()
