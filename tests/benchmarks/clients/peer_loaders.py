"""`python -m tests.benchmarks.clients.peer_loaders LOADER WORKERS FOLDER TARGET`: an epoch into tensors, images/s.

Runs in the peers' own environment. Each loader keeps the same pictures in its own format, shuffles them, and gives
batches of 64; `write` makes the formats from the service at TARGET.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from shared.client import connect
from shared.client.adapters.torch_dataset import CaptchaIterableDataset
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode

Picture = np.ndarray[Any, Any]
BATCH_SIZE = 64
WARM_UP_BATCHES = 20
Batches = Iterable[Any]


def samples(target: str) -> Iterator[tuple[Picture, Picture]]:
    """Every picture with its label, in order."""
    with connect(target) as client, client.stream("train", shuffle=False) as stream:
        for batch in stream:
            yield from zip(batch.images, batch.labels.astype(np.int64), strict=True)


class LmdbDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The usual recipe: a key for each sample, opened by each worker."""

    def __init__(self, folder: Path, codec: Codec) -> None:
        self._folder, self._codec = folder, codec
        self._environment: Any = None
        with lmdb.open(str(folder), readonly=True, lock=False) as environment:
            self._count = environment.stat()["entries"] // 2

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if self._environment is None:
            self._environment = lmdb.open(str(self._folder), readonly=True, lock=False, readahead=False)
        with self._environment.begin() as transaction:
            image = transaction.get(b"image-%08d" % index)
            label = np.frombuffer(transaction.get(b"label-%08d" % index), np.int64)
        return picture(image, self._codec), torch.from_numpy(label.copy())


def picture(data: bytes, codec: Codec) -> torch.Tensor:
    if codec is Codec.PNG:
        return torch.from_numpy(np.array(Image.open(BytesIO(data)).convert("RGB")))
    return torch.from_numpy(np.frombuffer(data, np.uint8).reshape(64, 160, 3).copy())


def write_lmdb(folder: Path, codec: Codec, target: str) -> None:
    with lmdb.open(str(folder), map_size=1 << 34) as environment, environment.begin(write=True) as transaction:
        for index, (image, label) in enumerate(samples(target)):
            transaction.put(b"image-%08d" % index, encode(image, codec))
            transaction.put(b"label-%08d" % index, label.tobytes())


def import_streaming() -> Any:
    # It imports torchvision, which may be of another build than PyTorch and then misses its operators; none is used.
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import streaming

    return streaming


def write_streaming(folder: Path, target: str) -> None:
    streaming = import_streaming()

    columns = {"image": "ndarray:uint8:64,160,3", "label": "ndarray:int64:4"}
    with streaming.MDSWriter(out=str(folder), columns=columns) as writer:
        for image, label in samples(target):
            writer.write({"image": np.ascontiguousarray(image), "label": label})


def write_litdata(folder: Path, target: str) -> None:
    import litdata

    inputs = [(np.ascontiguousarray(image), label) for image, label in samples(target)]
    litdata.optimize(fn=as_it_is, inputs=inputs, output_dir=str(folder), chunk_bytes="64MB", num_workers=1)


def as_it_is(pair: tuple[Picture, Picture]) -> dict[str, Picture]:
    return {"image": pair[0], "label": pair[1]}


def open_streaming(folder: Path, workers: int) -> Batches:
    streaming = sys.modules.get("streaming") or import_streaming()
    dataset = streaming.StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH_SIZE)
    loader: Batches = DataLoader(dataset, batch_size=BATCH_SIZE, num_workers=workers)
    return loader


def open_litdata(folder: Path, workers: int) -> Batches:
    from litdata import StreamingDataLoader, StreamingDataset

    dataset = StreamingDataset(str(folder), shuffle=True)
    loader: Batches = StreamingDataLoader(dataset, batch_size=BATCH_SIZE, num_workers=workers)
    return loader


def open_grain(folder: Path, workers: int) -> Batches:
    import grain
    from absl import flags

    flags.FLAGS(["peer_loaders"])
    dataset = grain.MapDataset.source(LmdbDataset(folder, Codec.RAW)).shuffle(seed=1).to_iter_dataset()
    batches: Any = dataset.batch(BATCH_SIZE, batch_fn=torch.utils.data.default_collate)
    loader: Batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers)) if workers else batches
    return loader


def open_lmdb(folder: Path, codec: Codec, workers: int) -> Batches:
    dataset = LmdbDataset(folder, codec)
    loader: Batches = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, num_workers=workers)
    return loader


def measured(batches: Batches) -> float:
    """Images a second, from the end of the warm-up on."""
    reading = iter(batches)
    for _ in islice(reading, WARM_UP_BATCHES):
        pass
    started, num_images = time.perf_counter(), 0
    for batch in reading:
        num_images += len(next(iter(batch.values())) if isinstance(batch, dict) else batch[0])
    return num_images / (time.perf_counter() - started)


def main(loader: str, workers: int, folder: Path, target: str) -> float:
    writers: dict[str, Callable[[Path], None]] = {
        "lmdb-raw": lambda path: write_lmdb(path, Codec.RAW, target),
        "lmdb-png": lambda path: write_lmdb(path, Codec.PNG, target),
        "grain": lambda path: write_lmdb(path, Codec.RAW, target),
        "streaming": lambda path: write_streaming(path, target),
        "litdata": lambda path: write_litdata(path, target),
    }
    path = folder / loader
    if loader in writers and not path.exists():
        writers[loader](path)
    openers: dict[str, Callable[[], Batches]] = {
        "ours": lambda: DataLoader(
            CaptchaIterableDataset(target, "train", global_batch_size=BATCH_SIZE), batch_size=None, num_workers=workers
        ),
        "lmdb-raw": lambda: open_lmdb(path, Codec.RAW, workers),
        "lmdb-png": lambda: open_lmdb(path, Codec.PNG, workers),
        "grain": lambda: open_grain(path, workers),
        "streaming": lambda: open_streaming(path, workers),
        "litdata": lambda: open_litdata(path, workers),
    }
    return measured(openers[loader]())


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
