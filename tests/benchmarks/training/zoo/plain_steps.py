"""The other side of `bench_zoo`: the plain script, with 16 batches in memory.

python -m tests.benchmarks.training.zoo.plain_steps TARGET
"""

import sys

import mindspore as ms
import numpy as np

from shared.client import connect
from tests.benchmarks.training.zoo.plain_network import StackedLstm, plain_step, prepared, take
from tests.benchmarks.training.zoo.steps import answer_steps


def main(target: str) -> None:
    """Takes steps until standard input ends."""
    with connect(target) as client, client.stream("train", global_batch_size=64, num_steps=16) as stream:
        spec = client.dataset.spec
        batches = [(prepared(batch.images), batch.labels.astype(np.int32)) for batch in stream]
    ms.set_context(mode=ms.GRAPH_MODE)
    network = StackedLstm(spec.height, 512, spec.num_classes)
    step = plain_step(network, spec.width, (64, spec.max_length))
    answer_steps(lambda number: (take(step, batches, number), 0.0))


if __name__ == "__main__":
    main(sys.argv[1])
