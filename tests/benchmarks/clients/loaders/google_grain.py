"""Google's grain over an LMDB of raw pixels, as it has no format of its own: see `reading`."""

from functools import partial
from pathlib import Path
from typing import Any

import grain
from absl import flags
from torch.utils.data import default_collate

from shared.protocol.codec import Codec
from tests.benchmarks.clients.loaders.lmdb_dataset import LmdbDataset, write_lmdb
from tests.benchmarks.clients.loaders.reading import BATCH_SIZE, Batches, print_rate


def open_batches(folder: Path, workers: int) -> Batches:
    flags.FLAGS(["google_grain"])
    dataset = grain.MapDataset.source(LmdbDataset(folder, Codec.RAW)).shuffle(seed=1).to_iter_dataset()
    batches: Any = dataset.batch(BATCH_SIZE, batch_fn=default_collate)
    loader: Batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers)) if workers else batches
    return loader


if __name__ == "__main__":
    print_rate(partial(write_lmdb, codec=Codec.RAW), open_batches)
