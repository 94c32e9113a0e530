"""MosaicML streaming over its own shards: see `reading`."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from tests.benchmarks.clients.loaders.reading import BATCH_SIZE, Batches, print_rate, samples

# It imports torchvision, which may be of another build than PyTorch and then misses its operators; none is used.
for name in ("nms", "qnms"):
    torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

# isort: split
import streaming  # noqa: E402


def write(folder: Path, target: str) -> None:
    columns = {"image": "ndarray:uint8:64,160,3", "label": "ndarray:int64:4"}
    with streaming.MDSWriter(out=str(folder), columns=columns) as writer:
        for image, label in samples(target):
            writer.write({"image": np.ascontiguousarray(image), "label": label})


def open_batches(folder: Path, workers: int) -> Batches:
    dataset = streaming.StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH_SIZE)
    loader: Batches = DataLoader(dataset, batch_size=BATCH_SIZE, num_workers=workers)
    return loader


if __name__ == "__main__":
    print_rate(write, open_batches)
