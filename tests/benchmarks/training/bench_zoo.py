"""Seconds per step of the published recipe: our trainer's step, streaming, against a plain script fed from memory.

    python -m tests.benchmarks.training.bench_zoo [--rounds N] [--steps N] [--stream-steps N]

Two processes take the same network's steps in turns. Ours reads its batches from an embedded service as the trainer
does; the plain script (`plain_zoo.py`) has its own prepared in memory. The share of time that ours waits for data is
measured afterwards, over many steps in a row: what is read ahead, some twenty batches, is not counted.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

from rich.console import Console
from rich.table import Table

from shared.system.embedded_service import embedded_service
from tests.benchmarks.turns import Child, module

READ_AHEAD = 20
Take = Callable[[int], tuple[float, float]]
"The number of the step -> its loss, seconds waited for its data."


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="default %(default)s")
    parser.add_argument("--steps", type=int, default=5, help="in each turn; default %(default)s")
    parser.add_argument(
        "--stream-steps", type=int, default=60, metavar="N", help="in a row, for the waiting; default %(default)s"
    )
    parser.add_argument("--side", nargs=2, metavar=("NAME", "TARGET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        name, target = options.side
        _answer(SIDES[name](target))
        return
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    with embedded_service() as target, ExitStack() as stack:
        sides = {name: Child(module("tests.benchmarks.training.bench_zoo", "--side", name, target)) for name in SIDES}
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


def _answer(side: AbstractContextManager[Take]) -> None:
    """A side's whole life: two steps, which compile, then as many as it is told."""
    with side as take:
        done = 2
        for number in range(done):
            take(number)
        print("ready", flush=True)
        for line in sys.stdin:
            steps, unmeasured = map(int, line.split())
            for number in range(done, done + unmeasured):
                take(number)
            started = time.perf_counter()
            taken = [take(number) for number in range(done + unmeasured, done + steps)]
            step_s = (time.perf_counter() - started) / len(taken)
            done += steps
            wait_s = sum(waited for _, waited in taken) / len(taken)
            print(json.dumps({"step_s": step_s, "wait_s": wait_s, "loss": taken[-1][0]}), flush=True)


@contextmanager
def _ours(target: str) -> Iterator[Take]:
    from shared.client import connect
    from shared.recogniser.dataset_adapter import BatchSource, StreamPlan, generator_dataset
    from trainer.config import load_config
    from trainer.distributed.world import SINGLE_RANK
    from trainer.presets import PRESETS
    from trainer.training.compatibility import SPLIT, plan_slice
    from trainer.training.step import build_step

    config = load_config(PRESETS["zoo"], None, ())
    with connect(target) as client:
        rank_slice = plan_slice(config, client.dataset, SINGLE_RANK)
        num_steps = config.epoch_size * rank_slice.num_steps
        step = build_step(config, client.dataset.spec, rank_slice, num_steps, "cpu", SINGLE_RANK)
        plan = StreamPlan(split=SPLIT, slice=rank_slice, first_step=0, last_step=num_steps, prefetch=config.prefetch)
        with closing(BatchSource(client, plan)) as source:
            rows = iter(generator_dataset(source, config.prefetch).create_tuple_iterator(num_epochs=1))

            def take(number: int) -> tuple[float, float]:
                started = time.perf_counter()
                images, labels, _ = next(rows)
                waited_s = time.perf_counter() - started
                return step.run(images, labels, stop=False, wait_s=waited_s).loss, waited_s

            yield take


@contextmanager
def _plain(target: str) -> Iterator[Take]:
    import mindspore as ms
    import numpy as np

    from shared.client import connect
    from tests.benchmarks.training.plain_zoo import StackedLstm, plain_step, prepared, take

    with connect(target) as client, client.stream("train", global_batch_size=64, num_steps=16) as stream:
        spec = client.dataset.spec
        batches = [(prepared(batch.images), batch.labels.astype(np.int32)) for batch in stream]
    ms.set_context(mode=ms.GRAPH_MODE)
    network = StackedLstm(spec.height, 512, spec.num_classes)
    step = plain_step(network, spec.width, (64, spec.max_length))
    yield lambda number: (take(step, batches, number), 0.0)


SIDES: Mapping[str, Callable[[str], AbstractContextManager[Take]]] = {"ours": _ours, "plain": _plain}

if __name__ == "__main__":
    main()
