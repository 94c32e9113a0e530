"""Rendering with nothing else to do: what the benchmarks that render compare with. A module of its own for workers."""

import time
from typing import NamedTuple

from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.workers.pool import WorkerPool
from shared.dataset.spec import DatasetSpec

_NOT_TIMED = 2500
"Pictures; after the first 1,000 of a process Numba is loaded meanwhile."


class Cost(NamedTuple):
    """Of a picture."""

    wall_s: float
    cpu_s: float


def render_alone(spec: DatasetSpec, num_samples: int) -> Cost:
    """Renders and throws away, in this thread."""
    renderer = CaptchaRenderer(spec)
    for index in range(_NOT_TIMED):
        renderer.render("train", index)
    wall, cpu = time.perf_counter(), time.process_time()
    for index in range(num_samples):
        renderer.render("train", index)
    return Cost((time.perf_counter() - wall) / num_samples, (time.process_time() - cpu) / num_samples)


def render_together(spec: DatasetSpec, num_samples: int, num_workers: int) -> float:
    """Images/s of that many processes which all do so at once: what the machine gives when every core is busy."""
    pool = WorkerPool(num_workers)
    try:
        costs = [pool.submit(render_alone, spec, num_samples) for _ in range(num_workers)]
        return sum(1 / cost.result().wall_s for cost in costs)
    finally:
        pool.shutdown()
