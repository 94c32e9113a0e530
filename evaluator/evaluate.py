"""One evaluation: its result, the checks before it, and the choice of the best of several.

Note: a checkpoint is only ever evaluated on the data set it was trained on. Pixels of another renderer, seed, size or
alphabet would give a figure that means nothing, so `check_dataset` refuses them.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.scores import Coverage, EvaluatedBatch, Figures, ScoreAccumulator
from shared.dataset.spec import Dataset, DatasetSpec
from shared.dataset.spec_difference import spec_differences
from shared.errors import ForeignDataset, UsageError
from shared.protocol.request import MAX_BATCH_BYTES, MAX_BATCH_SIZE, count_of
from shared.recogniser.checkpoint_info import CheckpointInfo


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One checkpoint on one split, and the figures."""

    checkpoint: Path
    info: CheckpointInfo
    dataset: Dataset
    split: str
    batch_size: int
    device: str
    time_s: float
    "Of the pass over the split: waiting for samples, network, decoding; without compilation."
    figures: Figures

    @property
    def images_per_s(self) -> float:
        """Throughput of the pass."""
        return self.figures.total.samples / self.time_s


def count_all(
    batches: Iterable[EvaluatedBatch], dataset: Dataset, split: str, advance: Callable[[int], None]
) -> tuple[Figures, float]:
    """The figures of a split and the seconds they took; raises `DataLoss` unless every sample came exactly once."""
    coverage = Coverage(split, count_of(dataset, split))
    accumulator = ScoreAccumulator(dataset.spec.alphabet, dataset.spec.max_length)
    started = time.perf_counter()
    for batch in batches:
        coverage.add(batch.indices)
        accumulator.add(batch)
        advance(len(batch.truths))
    coverage.check_complete()
    return accumulator.figures(), time.perf_counter() - started


def best_of(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The one with most correct predictions; of equals the one with the lower loss, then the older one."""
    return min(evaluations, key=lambda each: (-each.figures.total.correct, each.figures.loss))


def check_dataset(checkpoint: Path, info: CheckpointInfo, dataset: Dataset) -> None:
    """Raises `ForeignDataset` that names what differs when the checkpoint was not trained on this data set."""
    if info.fingerprint == dataset.fingerprint:
        return
    spec = info.dataset_spec()
    differing = [f"{name} {trained} (here {served})" for name, trained, served in spec_differences(spec, dataset.spec)]
    if differing:
        problem, solution = f"another data set: {', '.join(differing)}", "give --datagen a service of that data set"
        if not spec.is_imported:
            solution += ", or leave --datagen out to start one"
    else:
        prints = f"fingerprint {info.fingerprint[:12]} (here {dataset.fingerprint[:12]})"
        problem = f"the same spec, drawn by another renderer: {prints}"
        solution = "give --datagen a service that runs the versions it was trained with"
    raise ForeignDataset(f"{checkpoint} was trained on {problem}; {solution}")


def check_batch_size(batch_size: int, spec: DatasetSpec) -> None:
    """Raises `UsageError` when so many images do not fit into one message."""
    largest = min(MAX_BATCH_SIZE, MAX_BATCH_BYTES // spec.image_bytes)
    if batch_size > largest:
        size = f"{spec.width}x{spec.height}"
        raise UsageError(f"--batch-size must be at most {largest} for images of {size}, got {batch_size}")
