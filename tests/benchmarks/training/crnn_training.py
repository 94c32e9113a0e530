"""Our side of `bench_crnn`: the trainer's own step with a preset, on one kind of captchas, prints one JSON line.

    python -m tests.benchmarks.training.crnn_training KIND.npz STEPS [--preset NAME] [--only-steps]

Batches come from memory, as the peer's do; what the service adds is measured by `bench_end_to_end`.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import shared.recogniser  # noqa: F401  (before MindSpore: see there)

# isort: split
import mindspore as ms
import numpy as np
from mindspore import nn
from numpy.typing import NDArray

from shared.dataset.rank_slice import RankSlice
from shared.dataset.spec import DatasetSpec
from shared.recogniser.ctc.ctc_decoding import greedy_decode
from shared.recogniser.network.captcha_network import CaptchaNetwork
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.presets import PRESETS
from trainer.training.step import build_step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", type=Path)
    parser.add_argument("steps", type=int)
    parser.add_argument("--preset", choices=PRESETS, default="crnn", help="default %(default)s")
    parser.add_argument("--override", "-o", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--only-steps", action="store_true", help="steps alone, after ten to warm up")
    options = parser.parse_args()
    started = time.process_time()
    training = Training(options.kind, options.preset, options.steps, options.override)
    if options.only_steps:
        training.train(10)
        started = time.process_time()
        loss = training.train(options.steps - 10)
        result = {"cpu_s_per_step": (time.process_time() - started) / (options.steps - 10), "loss": loss}
    else:
        loss = training.train(options.steps)
        cpu_s = time.process_time() - started
        result = {"exact_match": training.exact_match(), "cpu_s": cpu_s, "loss": loss}
    print(json.dumps(result))


class Training:
    """Pictures, and the step that the trainer would take with them."""

    def __init__(self, file: Path, preset: str, num_steps: int, overrides: list[str]) -> None:
        pictures = np.load(file)
        self.images, texts = pictures["images"], [str(label) for label in pictures["labels"]]
        self.texts, self.num_train = texts, int(pictures["num_train"])
        self.spec = DatasetSpec(
            alphabet="".join(sorted(set("".join(texts)))),
            min_length=min(map(len, texts)),
            max_length=max(map(len, texts)),
            width=self.images.shape[2],
            height=self.images.shape[1],
        )
        self.labels = np.full((len(texts), self.spec.max_length), self.spec.blank, np.int32)
        for row, text in enumerate(texts):
            self.labels[row, : len(text)] = [self.spec.alphabet.index(character) for character in text]
        config = load_config(PRESETS[preset], None, overrides)
        self.batch_size = config.batch_size
        part = RankSlice(count=self.num_train, global_batch_size=self.batch_size)
        self.step = build_step(config, self.spec, part, num_steps, "cpu", SINGLE_RANK)
        self.batches = _batches(self.num_train, self.batch_size)

    def train(self, num_steps: int) -> float:
        """Takes steps; returns the last loss."""
        loss = 0.0
        for _ in range(num_steps):
            rows = next(self.batches)
            images, labels = ms.Tensor(self.images[rows]), ms.Tensor(self.labels[rows])
            loss = self.step.run(images, labels, stop=False, wait_s=0.0).loss
        return loss

    def exact_match(self) -> float:
        """Share of the test pictures that are read without a mistake."""
        forward, read = _Forward(self.step.network), []
        images = self.images[self.num_train :]
        for first in range(0, len(images), self.batch_size):
            batch = images[first : first + self.batch_size]
            whole = np.concatenate([batch, np.repeat(batch[:1], self.batch_size - len(batch), axis=0)])
            logits = forward(ms.Tensor(whole)).asnumpy()[:, : len(batch)]
            read += greedy_decode(logits, self.spec.alphabet)
        return float(np.mean([text == truth for text, truth in zip(read, self.texts[self.num_train :], strict=True)]))


class _Forward(nn.Cell):
    def __init__(self, network: CaptchaNetwork) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    @ms.jit
    def construct(self, images: ms.Tensor) -> ms.Tensor:
        return self.network(images)


def _batches(num_train: int, size: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(num_train)
        yield from (order[first : first + size] for first in range(0, num_train - size + 1, size))


if __name__ == "__main__":
    main()
