"""Reads from our service as `turns` says: `python -m tests.benchmarks.streaming.read_stream TARGET ...`."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from shared.client import DatasetClient, connect
from shared.dataset.rank_slice import RankSlice
from shared.protocol.codec import Codec
from shared.security.credentials import add_security_options, security_of
from tests.benchmarks.turns import BATCH_SIZE, answer_readings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--codec", type=Codec, default=Codec.RAW)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--dataset", action="store_true", help="through GeneratorDataset")
    add_security_options(parser)
    options = parser.parse_args()
    with connect(options.target, security=security_of(options, options.target)) as client:
        part = RankSlice(
            count=client.dataset.counts["train"],
            global_batch_size=BATCH_SIZE * options.ranks,
            rank=options.rank,
            ranks=options.ranks,
        )
        read = _through_dataset if options.dataset else _through_client
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


def _through_dataset(
    client: DatasetClient, part: RankSlice, codec: Codec, first_epoch: int, epochs: int
) -> Iterator[int]:
    # Imported here: MindSpore takes seconds, and the other readers do not need it.
    from shared.recogniser.dataset_adapter import BatchSource, StreamPlan, generator_dataset

    first_step = first_epoch * part.num_steps
    plan = StreamPlan(
        split="train",
        slice=part,
        first_step=first_step,
        last_step=first_step + epochs * part.num_steps,
        codec=codec,
    )
    for images, _, _ in generator_dataset(BatchSource(client, plan), plan.prefetch).create_tuple_iterator(
        output_numpy=True, num_epochs=1
    ):
        yield len(images)


if __name__ == "__main__":
    main()
