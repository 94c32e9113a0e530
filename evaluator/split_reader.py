"""One rank's share of a split, read through the network.

What surprises: samples are read `WIDTH` at a time however many travel in a message, so that no figure depends on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluator.scores import ReadBatch
from shared.client import DatasetClient
from shared.dataset.rank_slice import Remainder
from shared.protocol.batch import Batch
from shared.recogniser.device import Device
from shared.recogniser.predictor import WIDTH, Recogniser


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one of `ranks` processes reads, and with what."""

    checkpoint: Path
    device: Device
    split: str
    batch_size: int
    "Samples in one message to this rank."
    rank: int = 0
    ranks: int = 1


def read_share(share: Share, recogniser: Recogniser, client: DatasetClient) -> Iterator[ReadBatch]:
    """Every sample of the share once, in the order of the split; the last message may be short."""
    with client.stream(
        share.split,
        shuffle=False,
        global_batch_size=share.batch_size * share.ranks,
        rank=share.rank,
        ranks=share.ranks,
        remainder=Remainder.PAD,
    ) as batches:
        for batch in regrouped(batches, WIDTH):
            yield recogniser.read(batch)


def regrouped(batches: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same samples in the same order, `size` at a time; the last group may be smaller."""
    held: list[Batch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) < size:
            continue
        whole = _joined(held)
        full = len(whole) // size * size
        for first in range(0, full, size):
            yield _part(whole, slice(first, first + size))
        held = [_part(whole, slice(full, None))]
    if sum(map(len, held)):
        yield _joined(held)


def _joined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        epoch=batches[0].epoch,
        step=batches[0].step,
        images=np.concatenate([batch.images for batch in batches]),
        labels=np.concatenate([batch.labels for batch in batches]),
        indices=np.concatenate([batch.indices for batch in batches]),
    )


def _part(batch: Batch, rows: slice) -> Batch:
    return Batch(
        epoch=batch.epoch,
        step=batch.step,
        images=batch.images[rows],
        labels=batch.labels[rows],
        indices=batch.indices[rows],
    )
