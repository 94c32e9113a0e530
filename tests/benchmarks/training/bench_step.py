"""The training step of the preset `fast` against its matrix products alone, in turns.

    python -m tests.benchmarks.training.bench_step [--rounds N] [--steps N]

The products are those of the step, forward and backward, at its shapes, by NumPy's sgemm (OpenBLAS on all cores) in a
process of its own. Recurrent products are made frame by frame, as the layers must. Seconds are the clock's; CPU seconds
stand beside them, as a busy machine disturbs the clock more. The bound of a step is the products' time, and that of its
elementwise passes and of the update of its weights as if they ran on all cores without a wait.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.benchmarks.training.elementwise_passes import fast_passes
from tests.benchmarks.training.matrix_products import (
    Product,
    dense_products,
    gflop,
    lstm_products,
    prepared,
    unset_openblas,
)
from tests.benchmarks.turns import Child, module

BATCH, FRAMES, HIDDEN, CLASSES, HEIGHT, WIDTH = 64, 40, 256, 11, 64, 160


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="default %(default)s")
    parser.add_argument("--steps", type=int, default=20, help="in each turn; default %(default)s")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _answer(_SIDES[options.side]())
        return
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in _SIDES}
    with ExitStack() as stack:
        sides = {name: _side(name) for name in turns}
        for side in sides.values():
            stack.callback(side.close)
        for number in range(options.rounds + 1):
            for name, side in sides.items():
                side.tell(str(options.steps))
                wall_s, cpu_s = json.loads(side.answer())
                if number:  # The first round is to warm up.
                    turns[name].append((wall_s, cpu_s))
    _print(turns)


def _side(name: str) -> Child:
    return Child(["env", *unset_openblas(), *module("tests.benchmarks.training.bench_step", "--side", name)])


def _answer(take: Callable[[], object]) -> None:
    """A side's whole life: as many steps as each line says, then seconds and CPU seconds of one."""
    take()
    print("ready", flush=True)
    for line in sys.stdin:
        num, started, cpu = int(line), time.perf_counter(), time.process_time()
        for _ in range(num):
            take()
        print(json.dumps([(time.perf_counter() - started) / num, (time.process_time() - cpu) / num]), flush=True)


def _step() -> Callable[[], object]:
    # MindSpore takes seconds to import, and the other side does without.
    import shared.recogniser  # noqa: F401, I001  (before MindSpore: see there)
    import mindspore as ms

    from shared.dataset.rank_slice import RankSlice
    from shared.dataset.spec import DatasetSpec
    from trainer.config import load_config
    from trainer.distributed.world import SINGLE_RANK
    from trainer.presets import PRESETS
    from trainer.training.step import build_step

    rng, part = np.random.default_rng(0), RankSlice(count=BATCH * 100, global_batch_size=BATCH)
    step = build_step(load_config(PRESETS["fast"], None, []), DatasetSpec(), part, 100, "cpu", SINGLE_RANK)
    images = ms.Tensor(rng.integers(0, 256, (BATCH, HEIGHT, WIDTH, 3), dtype=np.uint8))
    labels = ms.Tensor(rng.integers(0, 10, (BATCH, 4)).astype(np.int32))
    return lambda: step.run(images, labels, stop=False, wait_s=0.0)


def products() -> list[Product]:
    """Of a step."""
    made: list[Product] = [(1, BATCH * HEIGHT, 3 * WIDTH, WIDTH)]  # Luma; nothing is propagated through it.
    for inputs_are_learnt in (False, True):  # A frame has 256 values, as a hidden state has.
        made += lstm_products(FRAMES, BATCH, HIDDEN, HIDDEN, inputs_are_learnt=inputs_are_learnt)
    return [*made, *dense_products(BATCH * FRAMES, HIDDEN, CLASSES)]


def _products() -> Callable[[], object]:
    return prepared(products())


def _passes() -> Callable[[], object]:
    weights = 2 * (2 * HIDDEN + 2) * 4 * HIDDEN + (HIDDEN + 1) * CLASSES
    return fast_passes(BATCH * HEIGHT * WIDTH * 3, FRAMES, HIDDEN, weights)


_SIDES: Mapping[str, Callable[[], Callable[[], object]]] = {"step": _step, "products": _products, "passes": _passes}


def _bound_s(products_s: float, passes_cpu_s: float) -> float:
    return products_s + passes_cpu_s / len(os.sched_getaffinity(0))


def _print(turns: Mapping[str, list[tuple[float, float]]]) -> None:
    medians = {
        name: [statistics.median(each) for each in zip(*readings, strict=True)] for name, readings in turns.items()
    }
    ratios = [
        statistics.median(one[unit] / other[unit] for one, other in zip(turns["step"], turns["products"], strict=True))
        for unit in (0, 1)
    ]
    bound = statistics.median(
        _bound_s(one[0], other[1]) / one[0] for one, other in zip(turns["products"], turns["passes"], strict=True)
    )
    table = Table(
        "", "ms", "CPU ms", "GFLOP/s", title=f"a step of fast, {gflop(products()):.1f} GFLOP in matrix products"
    )
    for name, (wall_s, cpu_s) in medians.items():
        rate = "" if name == "passes" else f"{gflop(products()) / wall_s:.0f}"
        table.add_row(name, f"{wall_s * 1e3:.1f}", f"{cpu_s * 1e3:.1f}", rate)
    table.add_row("step, times the products", f"{ratios[0]:.2f}", f"{ratios[1]:.2f}", "")
    table.add_row("bound: products and passes on all cores", f"{bound:.2f}", "", "")
    Console().print(table)
    result = {
        "benchmark": "step",
        "gflop": round(gflop(products()), 2),
        **{f"{name}_ms": round(wall_s * 1e3, 2) for name, (wall_s, _) in medians.items()},
        **{f"{name}_cpu_ms": round(cpu_s * 1e3, 2) for name, (_, cpu_s) in medians.items()},
        "ratio": round(ratios[0], 3),
        "cpu_ratio": round(ratios[1], 3),
        "bound_ratio": round(bound, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
