"""Reads as `read_stream` does, with its options, through GeneratorDataset."""

from collections.abc import Iterator

from shared.client import DatasetClient
from shared.dataset.rank_slice import RankSlice
from shared.protocol.codec import Codec
from shared.recogniser.dataset_adapter import BatchSource, StreamPlan, generator_dataset
from tests.benchmarks.streaming.read_stream import answer_as_rank


def _through_dataset(
    client: DatasetClient, part: RankSlice, codec: Codec, first_epoch: int, epochs: int
) -> Iterator[int]:
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
    answer_as_rank(_through_dataset)
