"""Rendering on one core: ours against the captcha library as it is, the same draws, in turns, in one run.

    python -m tests.benchmarks.bench_render [--rounds N] [--samples N]

The ratio is the median over the rounds of (the library's time / our time) in CPU seconds of this process, so that other
work on the machine disturbs it little. The library draws from the same seeded stream, not from the system's slower one.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec
from tests.datagen_server.stock import StockRenderer

Render = Callable[[str, int], tuple[NDArray[np.uint8], str]]


def main() -> None:
    """Prints the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="default %(default)s")
    parser.add_argument("--samples", type=int, default=200, help="in each round; default %(default)s")
    options = parser.parse_args()
    spec = DatasetSpec()
    ours, library = CaptchaRenderer(spec).render, StockRenderer(spec).render
    identical = all(np.array_equal(ours("train", i)[0], library("train", i)[0]) for i in range(options.samples))
    rounds = [(_seconds(ours, n, options), _seconds(library, n, options)) for n in range(options.rounds)]
    our_rate, library_rate = (options.samples / statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(theirs / mine for mine, theirs in rounds)
    table = Table("renderer", "images/s/core", "ratio", title=f"{spec.width}x{spec.height}, digits, 1-4 per image")
    table.add_row("captcha library", f"{library_rate:,.0f}", "1.00")
    table.add_row("datagen_server.rendering.renderer", f"{our_rate:,.0f}", f"{ratio:.2f}")
    Console().print(table)
    result = {
        "benchmark": "render",
        "images_per_s_per_core": round(our_rate),
        "library_images_per_s_per_core": round(library_rate),
        "ratio": round(ratio, 3),
        "ratio_worst_round": round(min(theirs / mine for mine, theirs in rounds), 3),
        "pixels_identical": identical,
    }
    print(json.dumps(result))


def _seconds(render: Render, number: int, options: argparse.Namespace) -> float:
    first = number * options.samples
    started = time.process_time()
    for index in range(first, first + options.samples):
        render("train", index)
    return time.process_time() - started


if __name__ == "__main__":
    main()
