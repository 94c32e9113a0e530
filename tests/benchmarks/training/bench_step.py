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
from collections.abc import Mapping
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from tests.benchmarks.training.fast_parts import fast_products
from tests.benchmarks.training.matrix_products import gflop, unset_openblas
from tests.benchmarks.turns import Child, module

_SIDES = {
    "step": ("tests.benchmarks.training.fast_step",),
    "products": ("tests.benchmarks.training.fast_parts", "products"),
    "passes": ("tests.benchmarks.training.fast_parts", "passes"),
}
"The program of each."


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="default %(default)s")
    parser.add_argument("--steps", type=int, default=20, help="in each turn; default %(default)s")
    options = parser.parse_args()
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in _SIDES}
    with ExitStack() as stack:
        sides = {name: Child(["env", *unset_openblas(), *module(*side)]) for name, side in _SIDES.items()}
        for side in sides.values():
            stack.callback(side.close)
        for number in range(options.rounds + 1):
            for name, side in sides.items():
                side.tell(str(options.steps))
                wall_s, cpu_s = json.loads(side.answer())
                if number:  # The first round is to warm up.
                    turns[name].append((wall_s, cpu_s))
    _print(turns)


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
        "", "ms", "CPU ms", "GFLOP/s", title=f"a step of fast, {gflop(fast_products()):.1f} GFLOP in matrix products"
    )
    for name, (wall_s, cpu_s) in medians.items():
        rate = "" if name == "passes" else f"{gflop(fast_products()) / wall_s:.0f}"
        table.add_row(name, f"{wall_s * 1e3:.1f}", f"{cpu_s * 1e3:.1f}", rate)
    table.add_row("step, times the products", f"{ratios[0]:.2f}", f"{ratios[1]:.2f}", "")
    table.add_row("bound: products and passes on all cores", f"{bound:.2f}", "", "")
    Console().print(table)
    result = {
        "benchmark": "step",
        "gflop": round(gflop(fast_products()), 2),
        **{f"{name}_ms": round(wall_s * 1e3, 2) for name, (wall_s, _) in medians.items()},
        **{f"{name}_cpu_ms": round(cpu_s * 1e3, 2) for name, (_, cpu_s) in medians.items()},
        "ratio": round(ratios[0], 3),
        "cpu_ratio": round(ratios[1], 3),
        "bound_ratio": round(bound, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
