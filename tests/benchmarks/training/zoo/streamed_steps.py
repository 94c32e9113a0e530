"""Our side of `bench_zoo`: the trainer's own step, which streams from a service.

python -m tests.benchmarks.training.zoo.streamed_steps TARGET
"""

import sys
import time
from contextlib import closing

from shared.client import connect
from shared.recogniser.dataset_adapter import BatchSource, StreamPlan, generator_dataset
from tests.benchmarks.training.zoo.steps import answer_steps
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.presets import PRESETS
from trainer.training.compatibility import SPLIT, plan_slice
from trainer.training.step import build_step


def main(target: str) -> None:
    """Takes steps until standard input ends."""
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

            answer_steps(take)


if __name__ == "__main__":
    main(sys.argv[1])
