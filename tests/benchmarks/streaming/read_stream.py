"""Reads from our service as `turns` says: `python -m tests.benchmarks.streaming.read_stream TARGET ...`."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from shared.client import DatasetClient, connect
from shared.dataset.rank_slice import RankSlice
from shared.protocol.codec import Codec
from shared.security.credentials import add_security_options, security_of
from tests.benchmarks.turns import BATCH_SIZE, answer_readings

Read = Callable[[DatasetClient, RankSlice, Codec, int, int], Iterator[int]]
"Client, the rank's part, codec, first epoch, number of epochs -> the images of each batch as it comes."


def main() -> None:
    """Reads through the client."""
    answer_as_rank(_through_client)


def answer_as_rank(read: Read) -> None:
    """Reads a rank's part of the training split of the service that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--codec", type=Codec, default=Codec.RAW)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=1)
    add_security_options(parser)
    options = parser.parse_args()
    with connect(options.target, security=security_of(options, options.target)) as client:
        part = RankSlice(
            count=client.dataset.counts["train"],
            global_batch_size=BATCH_SIZE * options.ranks,
            rank=options.rank,
            ranks=options.ranks,
        )
        first_epochs = count()
        answer_readings(lambda epochs: read(client, part, options.codec, next(first_epochs) * 1000, epochs))


def _through_client(
    client: DatasetClient, part: RankSlice, codec: Codec, first_epoch: int, epochs: int
) -> Iterator[int]:
    first = client.request(
        "train",
        epoch=first_epoch,
        global_batch_size=part.global_batch_size,
        rank=part.rank,
        ranks=part.ranks,
        codec=codec,
    )
    for batch in client.open_streams(replace(first, epoch=first_epoch + number) for number in range(epochs)):
        yield len(batch)


if __name__ == "__main__":
    main()
