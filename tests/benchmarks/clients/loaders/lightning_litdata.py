"""Lightning's litdata over its own chunks: see `reading`."""

from pathlib import Path

import litdata
import numpy as np

from tests.benchmarks.clients.loaders.reading import BATCH_SIZE, Batches, Picture, print_rate, samples


def write(folder: Path, target: str) -> None:
    inputs = [(np.ascontiguousarray(image), label) for image, label in samples(target)]
    litdata.optimize(fn=as_it_is, inputs=inputs, output_dir=str(folder), chunk_bytes="64MB", num_workers=1)


def as_it_is(pair: tuple[Picture, Picture]) -> dict[str, Picture]:
    return {"image": pair[0], "label": pair[1]}


def open_batches(folder: Path, workers: int) -> Batches:
    dataset = litdata.StreamingDataset(str(folder), shuffle=True)
    loader: Batches = litdata.StreamingDataLoader(dataset, batch_size=BATCH_SIZE, num_workers=workers)
    return loader


if __name__ == "__main__":
    print_rate(write, open_batches)
