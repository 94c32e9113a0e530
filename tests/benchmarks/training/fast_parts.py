"""What a step of `fast` is made of, alone, by NumPy: for `bench_step`.

    python -m tests.benchmarks.training.fast_parts products|passes

takes as many as each line of standard input says, and answers as `turns` says.
"""

import argparse
from collections.abc import Callable, Mapping

from tests.benchmarks.training.elementwise_passes import fast_passes
from tests.benchmarks.training.matrix_products import BATCH, Product, dense_products, lstm_products, prepared
from tests.benchmarks.turns import answer_times

FRAMES, HIDDEN, CLASSES, HEIGHT, WIDTH = 40, 256, 11, 64, 160


def main() -> None:
    """Answers until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=_PARTS)
    answer_times(_PARTS[parser.parse_args().part]())


def fast_products() -> list[Product]:
    """Of a step, forward and backward."""
    made: list[Product] = [(1, BATCH * HEIGHT, 3 * WIDTH, WIDTH)]  # Luma; nothing is propagated through it.
    for inputs_are_learnt in (False, True):  # A frame has 256 values, as a hidden state has.
        made += lstm_products(FRAMES, BATCH, HIDDEN, HIDDEN, inputs_are_learnt=inputs_are_learnt)
    return [*made, *dense_products(BATCH * FRAMES, HIDDEN, CLASSES)]


def _products() -> Callable[[], object]:
    return prepared(fast_products())


def _passes() -> Callable[[], object]:
    weights = 2 * (2 * HIDDEN + 2) * 4 * HIDDEN + (HIDDEN + 1) * CLASSES
    return fast_passes(BATCH * HEIGHT * WIDTH * 3, FRAMES, HIDDEN, weights)


_PARTS: Mapping[str, Callable[[], Callable[[], object]]] = {"products": _products, "passes": _passes}


if __name__ == "__main__":
    main()
