"""Decoding pictures with Pillow and nothing else: for `bench_import`. A module of its own for workers."""

import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.workers.pool import WorkerPool
from shared.dataset.spec import DatasetSpec

FORMATS = ("png", "jpg")


def draw_pictures(folder: Path, indices: range) -> None:
    """Captchas as LABEL_NUMBER.png and .jpg in turns."""
    renderer = CaptchaRenderer(DatasetSpec())
    for index in indices:
        image, text = renderer.render("train", index)
        Image.fromarray(image).save(folder / f"{text}_{index}.{FORMATS[index % 2]}")


def decode_files(paths: Sequence[str]) -> float:
    """Reads and decodes each file and throws its pixels away; returns CPU seconds."""
    started = time.process_time()
    for path in paths:
        with Image.open(path) as picture:
            picture.convert("RGB")
    return time.process_time() - started


def decode_together(paths: Sequence[str], num_workers: int) -> tuple[float, float]:
    """Wall and CPU seconds of that many processes, each with its share of the files; without their start."""
    pool = WorkerPool(num_workers)
    try:
        for future in [pool.submit(decode_files, paths[:10]) for _ in range(num_workers)]:
            future.result()
        started = time.perf_counter()
        shares = [pool.submit(decode_files, paths[number::num_workers]) for number in range(num_workers)]
        cpu_s = sum(share.result() for share in shares)
        return time.perf_counter() - started, cpu_s
    finally:
        pool.shutdown()
