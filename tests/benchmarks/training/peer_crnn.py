"""An ordinary CRNN in PyTorch on one thread: trains on one kind of captchas, prints one JSON line. Needs only PyTorch.

    python peer_crnn.py KIND.npz STEPS [--only-steps]

As people write it (Shi et al., TPAMI 2017, at the size that captchas need): 3x3 convolutions of 16, 32, 64 and 96
channels with batch norm, ReLU and max pooling, a bidirectional LSTM of 128, CTC, AdamW with warm-up and a cosine,
batches of 64. `--only-steps` measures steps alone, after ten to warm up. `kinds.py` beside this writes KIND.npz.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from numpy.typing import NDArray
from PIL import Image

torch: Any = import_module("torch")
BATCH_SIZE, HEIGHT, WARM_UP, LEARNING_RATE = 64, 32, 100, 2e-3
STAGES = ((16, (2, 2)), (32, (2, 2)), (64, (2, 1)), (96, (2, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", type=Path)
    parser.add_argument("steps", type=int)
    parser.add_argument("--only-steps", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    started = time.process_time()
    peer = Peer(options.kind, options.steps)
    if options.only_steps:
        peer.train(10)
        started = time.process_time()
        loss = peer.train(options.steps - 10)
        result = {"cpu_s_per_step": (time.process_time() - started) / (options.steps - 10), "loss": loss}
    else:
        loss = peer.train(options.steps)
        cpu_s = time.process_time() - started
        result = {"exact_match": peer.exact_match(), "cpu_s": cpu_s, "loss": loss}
    print(json.dumps(result))


class Peer:
    """Pictures, network and optimizer."""

    def __init__(self, file: Path, num_steps: int) -> None:
        pictures = np.load(file)
        self.labels, self.num_train = [str(label) for label in pictures["labels"]], int(pictures["num_train"])
        self.characters = sorted(set("".join(self.labels)))
        self.images = _resized(pictures["images"])
        self.network = Network(len(self.characters) + 1)
        self.network.layers.train()
        self.optimizer = torch.optim.AdamW(self.network.layers.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _rate(step, num_steps))
        self.loss = torch.nn.CTCLoss(zero_infinity=True)
        self.batches = _batches(self.num_train)

    def train(self, num_steps: int) -> float:
        """Takes steps; returns the last loss."""
        loss = torch.zeros(())
        for _ in range(num_steps):
            rows = next(self.batches)
            targets = [[self.characters.index(c) + 1 for c in self.labels[row]] for row in rows]
            logits = self.network.logits(self.images[rows]).log_softmax(2)
            frames = torch.full((len(rows),), len(logits))
            lengths = torch.tensor([len(target) for target in targets])
            loss = self.loss(logits, torch.tensor(list(chain.from_iterable(targets))), frames, lengths)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.layers.parameters(), 5.0)
            self.optimizer.step()
            self.schedule.step()
        return float(loss.detach())

    def exact_match(self) -> float:
        """Share of the test pictures that are read without a mistake."""
        self.network.layers.eval()
        rows, read = range(self.num_train, len(self.labels)), []
        with torch.no_grad():
            for first in range(0, len(rows), BATCH_SIZE):
                logits = self.network.logits(self.images[rows[first : first + BATCH_SIZE]])
                read += [self._text(path) for path in logits.argmax(2).T.tolist()]
        return sum(text == self.labels[row] for text, row in zip(read, rows, strict=True)) / len(rows)

    def _text(self, path: list[int]) -> str:
        kept = [c for before, c in zip([0, *path], path, strict=False) if c and c != before]
        return "".join(self.characters[c - 1] for c in kept)


class Network:
    """uint8 [n, height, width, 3] -> logits [frames, n, classes], the blank first."""

    def __init__(self, num_classes: int) -> None:
        nn, stages, channels = torch.nn, [], 3
        for outputs, cell in STAGES:
            stages += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            stages += [nn.MaxPool2d(cell)]
            channels = outputs
        self.convolve = nn.Sequential(*stages)
        self.lstm = nn.LSTM(channels * HEIGHT // 16, 128, bidirectional=True)
        self.classify = nn.Linear(256, num_classes)
        self.layers = nn.ModuleList([self.convolve, self.lstm, self.classify])

    def logits(self, images: NDArray[np.uint8]) -> Any:
        values = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 64
        frames = self.convolve(values).flatten(1, 2).permute(2, 0, 1)
        return self.classify(self.lstm(frames)[0])


def _resized(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, 32, width, 3], the width in proportion, a multiple of 8."""
    size = round(images.shape[2] * HEIGHT / images.shape[1] / 8) * 8, HEIGHT
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) for image in images])


def _rate(step: int, num_steps: int) -> float:
    done = max(0.0, (step - WARM_UP) / max(1, num_steps - WARM_UP))
    return min((step + 1) / WARM_UP, 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def _batches(num_train: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(num_train)
        yield from (order[first : first + BATCH_SIZE] for first in range(0, num_train - BATCH_SIZE + 1, BATCH_SIZE))


if __name__ == "__main__":
    main()
