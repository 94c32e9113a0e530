"""Decoding pictures with Pillow and nothing else: for `bench_import`. A module of its own for workers."""

from collections.abc import Sequence

from PIL import Image

from datagen_server.workers.pool import WorkerPool

_FILES_A_TASK = 500


def decode_files(paths: Sequence[str]) -> None:
    """Reads and decodes each file and throws its pixels away."""
    for path in paths:
        with Image.open(path) as picture:
            picture.convert("RGB")


def decode_together(paths: Sequence[str], num_workers: int) -> None:
    """The same in that many new processes."""
    pool = WorkerPool(num_workers, ahead=2)
    try:
        starts = range(0, len(paths), _FILES_A_TASK)
        for future in [pool.submit(decode_files, paths[start : start + _FILES_A_TASK]) for start in starts]:
            future.result()
    finally:
        pool.shutdown()
