"""What both sides of `bench_zoo` have in common: they take as many steps as they are told, and say how long it took."""

import json
import sys
import time
from collections.abc import Callable

Take = Callable[[int], tuple[float, float]]
"The number of the step -> its loss, seconds waited for its data."


def answer_steps(take: Take) -> None:
    """A side's whole life: two steps, which compile, then those that each line says: how many, how many unmeasured."""
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
