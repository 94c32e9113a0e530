"""The trainer's own step with the preset `fast`, on random pictures from memory: for `bench_step` and `bench_start`.

    python -m tests.benchmarks.training.fast_step

takes one step, then as many as each line of standard input says, and answers as `turns` says.
"""

import shared.recogniser  # noqa: F401  (before MindSpore: see there)

# isort: split
import mindspore as ms
import numpy as np

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from tests.benchmarks.training.matrix_products import BATCH
from tests.benchmarks.turns import answer_times
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.presets import PRESETS
from trainer.training.step import build_step


def main() -> None:
    """Answers until standard input ends."""
    rng, part, spec = np.random.default_rng(0), RankSlice(count=BATCH * 100, global_batch_size=BATCH), DatasetSpec()
    step = build_step(load_config(PRESETS["fast"], None, []), spec, part, 100, "cpu", SINGLE_RANK)
    images = ms.Tensor(rng.integers(0, 256, (BATCH, *spec.image_shape), dtype=np.uint8))
    labels = ms.Tensor(rng.integers(0, 10, (BATCH, spec.max_length)).astype(np.int32))
    answer_times(lambda: step.run(images, labels, stop=False, wait_s=0.0))


if __name__ == "__main__":
    main()
