"""Our own stream, through the adapter for PyTorch: see `reading`; nothing is written, the service has shards."""

import sys

from torch.utils.data import DataLoader

from shared.client.adapters.torch_dataset import CaptchaIterableDataset
from tests.benchmarks.clients.loaders.reading import BATCH_SIZE, images_per_s


def main(workers: int, target: str) -> None:
    dataset = CaptchaIterableDataset(target, "train", global_batch_size=BATCH_SIZE)
    print(images_per_s(DataLoader(dataset, batch_size=None, num_workers=workers)))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[3])
