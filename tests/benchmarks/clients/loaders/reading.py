"""What the loaders of `bench_loaders` have in common: the pictures of the service, and an epoch into tensors.

    python -m tests.benchmarks.clients.loaders.NAME WORKERS FOLDER TARGET

runs a loader in the peers' own environment. It keeps the same pictures in its own format, which it makes in FOLDER from
the service at TARGET where it is not there yet, shuffles them, gives batches of 64, and prints images/s.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from shared.client import connect

Picture = np.ndarray[Any, Any]
BATCH_SIZE = 64
WARM_UP_BATCHES = 20
Batches = Iterable[Any]


def samples(target: str) -> Iterator[tuple[Picture, Picture]]:
    """Every picture with its label, in order."""
    with connect(target) as client, client.stream("train", shuffle=False) as stream:
        for batch in stream:
            yield from zip(batch.images, batch.labels.astype(np.int64), strict=True)


def print_rate(write: Callable[[Path, str], None], open_batches: Callable[[Path, int], Batches]) -> None:
    """A loader's program. write: folder and target; open_batches: folder and number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workers", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target")
    options = parser.parse_args()
    if not options.folder.exists():
        write(options.folder, options.target)
    print(images_per_s(open_batches(options.folder, options.workers)))


def images_per_s(batches: Batches) -> float:
    """From the end of the warm-up on."""
    reading = iter(batches)
    for _ in islice(reading, WARM_UP_BATCHES):
        pass
    started, num_images = time.perf_counter(), 0
    for batch in reading:
        num_images += len(next(iter(batch.values())) if isinstance(batch, dict) else batch[0])
    return num_images / (time.perf_counter() - started)
