"""Seconds per step of the published recipe: our trainer's step, streaming, against a plain script fed from memory.

    python -m tests.benchmarks.training.zoo.bench_zoo [--rounds N] [--steps N] [--stream-steps N]

Two processes take the same network's steps in turns. Ours reads its batches from an embedded service as the trainer
does; the plain script (`plain_steps.py`) has its own prepared in memory. The share of time that ours waits for data is
measured afterwards, over many steps in a row: what is read ahead, some twenty batches, is not counted.
"""

import argparse
import json
import statistics
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from shared.system.embedded_service import embedded_service
from tests.benchmarks.turns import Child, module

READ_AHEAD = 20
SIDES = {
    "ours": "tests.benchmarks.training.zoo.streamed_steps",
    "plain": "tests.benchmarks.training.zoo.plain_steps",
}
"The program of each."


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="default %(default)s")
    parser.add_argument("--steps", type=int, default=5, help="in each turn; default %(default)s")
    parser.add_argument(
        "--stream-steps", type=int, default=60, metavar="N", help="in a row, for the waiting; default %(default)s"
    )
    options = parser.parse_args()
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    with embedded_service() as target, ExitStack() as stack:
        sides = {name: Child(module(side, target)) for name, side in SIDES.items()}
        for side in sides.values():
            stack.callback(side.close)
        for _ in range(options.rounds):
            for name, side in sides.items():
                turns[name].append(_turn(side, options.steps, 0))
        streamed = _turn(sides["ours"], options.stream_steps, READ_AHEAD)
    _print(turns, streamed["wait_s"] / streamed["step_s"])


def _turn(side: Child, steps: int, unmeasured: int) -> dict[str, float]:
    cpu_before = side.cpu_s()
    side.tell(f"{steps} {unmeasured}")
    answer: dict[str, float] = json.loads(side.answer())
    return answer | {"cpu_s": (side.cpu_s() - cpu_before) / steps}


def _print(turns: dict[str, list[dict[str, float]]], wait_share: float) -> None:
    table = Table("", "s/step", "CPU s/step", "last loss", title="the zoo preset's step")
    medians = {
        name: {key: statistics.median(turn[key] for turn in each) for key in each[0]} for name, each in turns.items()
    }
    for name, row in medians.items():
        table.add_row(name, f"{row['step_s']:.3f}", f"{row['cpu_s']:.2f}", f"{turns[name][-1]['loss']:.2f}")
    ratios = [ours["step_s"] / plain["step_s"] for ours, plain in zip(turns["ours"], turns["plain"], strict=True)]
    Console().print(table)
    print(f"ours / plain: {statistics.median(ratios):.2f} (median of rounds), waited for data {wait_share:.2%}")
    result = {
        "benchmark": "zoo",
        "ours_s_per_step": round(medians["ours"]["step_s"], 4),
        "plain_s_per_step": round(medians["plain"]["step_s"], 4),
        "ratio": round(statistics.median(ratios), 4),
        "ratio_worst": round(max(ratios), 4),
        "ours_cpu_s_per_step": round(medians["ours"]["cpu_s"], 3),
        "plain_cpu_s_per_step": round(medians["plain"]["cpu_s"], 3),
        "wait_share": round(wait_share, 5),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
