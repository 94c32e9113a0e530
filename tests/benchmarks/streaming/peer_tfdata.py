"""tf.data service over samples of ours: one dispatcher and one worker, as its users run it. Needs only TensorFlow.

    python -m tests.benchmarks.streaming.peer_tfdata serve SAMPLES.npz
    python -m tests.benchmarks.streaming.peer_tfdata read ADDRESS RECORDS HEIGHT WIDTH

SAMPLES.npz holds `images` uint8 [n, height, width, 3] and `labels` uint8 [n, max_length]. What favours the peer: it
reads one file of records from end to end, where our service reads in shuffled order, and checks no checksum of a batch.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.turns import BATCH_SIZE, answer_readings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
tf: Any = import_module("tensorflow")


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    server = commands.add_parser("serve")
    server.add_argument("samples", type=Path)
    server.set_defaults(command=_serve)
    reader = commands.add_parser("read")
    reader.add_argument("address")
    reader.add_argument("records", type=Path)
    reader.add_argument("shape", type=int, nargs=2)
    reader.set_defaults(command=_read)
    options = parser.parse_args()
    options.command(options)


def _serve(options: argparse.Namespace) -> None:
    samples = np.load(options.samples)
    with tf.io.TFRecordWriter(str(options.samples.with_suffix(".tfrecord"))) as writer:
        for image, label in zip(samples["images"], samples["labels"], strict=True):
            writer.write(image.tobytes() + label.tobytes())
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer(service.DispatcherConfig(port=0))
    address = dispatcher.target.split("://")[1]
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address, port=0))
    print(f"tensorflow {tf.__version__} at {address}", flush=True)
    sys.stdin.read()
    del worker


def _read(options: argparse.Namespace) -> None:
    service = tf.data.experimental.service
    shape = (*options.shape, 3)
    image_bytes = int(np.prod(shape))

    def parse(rows: Any) -> Any:
        flat = tf.io.decode_raw(rows, tf.uint8)
        return tf.reshape(flat[:, :image_bytes], (-1, *shape)), flat[:, image_bytes:]

    def read(epochs: int) -> Iterator[int]:
        data = tf.data.TFRecordDataset(str(options.records)).repeat(epochs).batch(BATCH_SIZE, drop_remainder=True)
        data = data.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        distribute = service.distribute(
            processing_mode=service.ShardingPolicy.OFF,
            service=f"grpc://{options.address}",
            compression=None,
        )
        for images, _ in data.apply(distribute).prefetch(4):
            yield int(images.shape[0])

    answer_readings(read)


if __name__ == "__main__":
    main()
