"""What a step of `crnn` is made of, alone, by NumPy: for `bench_crnn`.

    python -m tests.benchmarks.training.crnn_parts KIND.npz STEPS

prints CPU seconds a step on one kind of captchas: matrix products, gathering the windows that convolutions multiply,
and elementwise passes.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from shared.recogniser.network.network_spec import resized_width
from tests.benchmarks.training.elementwise_passes import cpu_s, crnn_gathers, crnn_passes
from tests.benchmarks.training.matrix_products import crnn_products, prepared


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", type=Path)
    parser.add_argument("steps", type=int)
    options = parser.parse_args()
    pictures = np.load(options.kind)
    (height, width), labels = pictures["images"].shape[1:3], [str(label) for label in pictures["labels"]]
    columns = resized_width(width, height, max(map(len, labels)))
    sides = {
        "products": prepared(crnn_products(columns, len(set("".join(labels))) + 1)),
        "gathers": crnn_gathers(columns),
        "passes": crnn_passes(columns),
    }
    print(json.dumps({name: cpu_s(side, options.steps) for name, side in sides.items()}))


if __name__ == "__main__":
    main()
