"""The usual recipe: an LMDB with a key for each sample, and a PyTorch Dataset over it."""

from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import lmdb
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode
from tests.benchmarks.clients.loaders.reading import BATCH_SIZE, Batches, samples

_OPENING = Lock()


class LmdbDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Each worker opens it, once, however many threads it reads with."""

    def __init__(self, folder: Path, codec: Codec) -> None:
        self._folder, self._codec = folder, codec
        self._environment: Any = None
        with lmdb.open(str(folder), readonly=True, lock=False) as environment:
            self._count = environment.stat()["entries"] // 2

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        with self._opened().begin() as transaction:
            image = transaction.get(b"image-%08d" % index)
            label = np.frombuffer(transaction.get(b"label-%08d" % index), np.int64)
        return picture(image, self._codec), torch.from_numpy(label.copy())

    def _opened(self) -> Any:
        with _OPENING:
            if self._environment is None:
                self._environment = lmdb.open(str(self._folder), readonly=True, lock=False, readahead=False)
            return self._environment


def picture(data: bytes, codec: Codec) -> torch.Tensor:
    if codec is Codec.PNG:
        return torch.from_numpy(np.array(Image.open(BytesIO(data)).convert("RGB")))
    return torch.from_numpy(np.frombuffer(data, np.uint8).reshape(64, 160, 3).copy())


def write_lmdb(folder: Path, target: str, codec: Codec) -> None:
    with lmdb.open(str(folder), map_size=1 << 34) as environment, environment.begin(write=True) as transaction:
        for index, (image, label) in enumerate(samples(target)):
            transaction.put(b"image-%08d" % index, encode(image, codec))
            transaction.put(b"label-%08d" % index, label.tobytes())


def open_lmdb(folder: Path, workers: int, codec: Codec) -> Batches:
    dataset = LmdbDataset(folder, codec)
    loader: Batches = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, num_workers=workers)
    return loader
