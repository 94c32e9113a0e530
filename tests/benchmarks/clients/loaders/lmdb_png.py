"""An LMDB of PNG pictures through PyTorch's DataLoader: see `reading`."""

from functools import partial

from shared.protocol.codec import Codec
from tests.benchmarks.clients.loaders.lmdb_dataset import open_lmdb, write_lmdb
from tests.benchmarks.clients.loaders.reading import print_rate

if __name__ == "__main__":
    print_rate(partial(write_lmdb, codec=Codec.PNG), partial(open_lmdb, codec=Codec.PNG))
