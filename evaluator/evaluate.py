"""One pass over a split: every sample once, in the order of the split, each read and counted.

What surprises: a checkpoint is only ever read against the data set it was trained on. Pixels of another renderer, seed,
size or alphabet would give a figure that means nothing, so `check_dataset` refuses them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluator.ranks import ranks_reading
from evaluator.scores import Coverage, Figures, ReadBatch, Tally
from evaluator.split_reader import Share, read_share
from shared.client import DatasetClient
from shared.dataset.rank_slice import MAX_GLOBAL_BATCH_SIZE
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import ForeignDataset, UsageError
from shared.protocol.request import MAX_BATCH_BYTES, MAX_BATCH_SIZE, count_of
from shared.recogniser.checkpoint import CheckpointInfo
from shared.recogniser.device import Device
from shared.recogniser.predictor import Recogniser
from shared.security.credentials import Access
from shared.system.signals import uninterrupted


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was read with what, and what came out."""

    checkpoint: Path
    info: CheckpointInfo
    dataset: Dataset
    split: str
    batch_size: int
    ranks: int
    device: Device
    time_s: float
    "Of reading the split: waiting for samples, network, decoding; without compilation."
    figures: Figures

    @property
    def images_per_s(self) -> float:
        """Throughput of the pass."""
        return self.figures.total.samples / self.time_s


@contextmanager
def reading(
    share: Share, info: CheckpointInfo, access: Access, client: DatasetClient, ranks: int
) -> Iterator[Iterator[ReadBatch]]:
    """Yields the split as it is read, here or by several ranks, once the network is compiled."""
    if ranks > 1:
        with ranks_reading(share, ranks, access, client.dataset.fingerprint) as batches:
            yield batches
        return
    with uninterrupted():
        recogniser = Recogniser(share.checkpoint, info, share.device)
        recogniser.warm_up()
    yield read_share(share, recogniser, client)


def count_all(
    batches: Iterable[ReadBatch], dataset: Dataset, split: str, advance: Callable[[int], None]
) -> tuple[Figures, float]:
    """The figures of a split and the seconds they took; raises `DataLoss` unless every sample came exactly once."""
    coverage, tally = Coverage(split, count_of(dataset, split)), Tally(dataset.spec.alphabet, dataset.spec.max_length)
    started = time.perf_counter()
    for batch in batches:
        coverage.add(batch.indices)
        tally.add(batch)
        advance(len(batch.truths))
    coverage.check_complete()
    return tally.figures(), time.perf_counter() - started


def best_of(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The one with most samples read without a fault; of equals the one with the lower loss, then the older one."""
    return min(evaluations, key=lambda each: (-each.figures.total.correct, each.figures.loss))


def check_dataset(checkpoint: Path, info: CheckpointInfo, dataset: Dataset) -> None:
    """Raises `ForeignDataset` that names what differs when the checkpoint was not trained on this data set."""
    if info.fingerprint == dataset.fingerprint:
        return
    spec = info.dataset_spec()
    trained, served = asdict(spec), asdict(dataset.spec)
    differing = [
        f"{name} {trained[name]!r} (here {served[name]!r})" for name in trained if trained[name] != served[name]
    ]
    if differing:
        problem, way_out = f"another data set: {', '.join(differing)}", "give --datagen a service of that data set"
        if spec == DatasetSpec(seed=spec.seed):
            way_out += ", or leave --datagen out to start one"
    else:
        prints = f"fingerprint {info.fingerprint[:12]} (here {dataset.fingerprint[:12]})"
        problem = f"the same spec, drawn by another renderer: {prints}"
        way_out = "give --datagen a service that runs the versions it was trained with"
    raise ForeignDataset(f"{checkpoint} was trained on {problem}; {way_out}")


def check_batch_size(batch_size: int, ranks: int, spec: DatasetSpec) -> None:
    """Raises `UsageError` when so many images do not travel in one message, or so many not to all ranks at once."""
    most = min(MAX_BATCH_SIZE, MAX_BATCH_BYTES // spec.image_bytes, MAX_GLOBAL_BATCH_SIZE // ranks)
    if batch_size > most:
        size = f"{spec.width}x{spec.height}" + (f" and {ranks} ranks" if ranks > 1 else "")
        raise UsageError(f"--batch-size must be at most {most} for images of {size}, got {batch_size}")
