"""One evaluation: its result, the checks before it, and the choice of the best of several.

Note: a checkpoint may be evaluated on any data set whose characters it knows: of another seed, renderer, size or
source. Images of another size are fitted as an import fits pictures, and the report names both data sets.
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
    def alphabet(self) -> str:
        """The characters that the network knows."""
        return self.info.dataset_spec().alphabet

    @property
    def is_foreign(self) -> bool:
        """Whether the network was trained on another data set."""
        return self.info.fingerprint != self.dataset.fingerprint

    @property
    def images_per_s(self) -> float:
        """Throughput of the pass."""
        return self.figures.total.samples / self.time_s


def count_all(
    batches: Iterable[EvaluatedBatch], dataset: Dataset, split: str, alphabet: str, advance: Callable[[int], None]
) -> tuple[Figures, float]:
    """The figures of a split and the seconds they took; raises `DataLoss` unless every sample came exactly once.

    alphabet: the characters that the network knows, at least those of the data set.
    """
    coverage = Coverage(split, count_of(dataset, split))
    accumulator = ScoreAccumulator(alphabet, dataset.spec.max_length)
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
    """Raises `ForeignDataset` when the data set has characters that the network does not know."""
    alphabet = info.dataset_spec().alphabet
    if unknown := [character for character in dataset.spec.alphabet if character not in alphabet]:
        shown = "".join(unknown[:20]) + (f"... ({len(unknown)} in all)" if len(unknown) > 20 else "")
        problem = f"{checkpoint} does not know characters of this data set: {shown!r}"
        solution = f"teach it: python -m trainer --init-from {checkpoint} --datagen TARGET"
        raise ForeignDataset(f"{problem}; {solution}, or give --datagen a service of the data set it was trained on")


def check_same_dataset(checkpoint: Path, info: CheckpointInfo, dataset: Dataset) -> None:
    """Raises `ForeignDataset` that names what differs when the checkpoint was not trained on this data set.

    For the embedded service, which nobody chose: without --datagen, figures are of the checkpoint's own data set.
    """
    if info.fingerprint == dataset.fingerprint:
        return
    spec = info.dataset_spec()
    differing = [f"{name} {trained} (here {served})" for name, trained, served in spec_differences(spec, dataset.spec)]
    if differing:
        problem = f"another data set: {', '.join(differing)}"
    else:
        prints = f"fingerprint {info.fingerprint[:12]} (here {dataset.fingerprint[:12]})"
        problem = f"the same spec, drawn by another renderer: {prints}"
    solution = "give --datagen a service of that data set, or of another one to evaluate it on that"
    raise ForeignDataset(f"{checkpoint} was trained on {problem}; {solution}")


def check_batch_size(batch_size: int, spec: DatasetSpec) -> None:
    """Raises `UsageError` when so many images do not fit into one message."""
    largest = min(MAX_BATCH_SIZE, MAX_BATCH_BYTES // spec.image_bytes)
    if batch_size > largest:
        size = f"{spec.width}x{spec.height}"
        raise UsageError(f"--batch-size must be at most {largest} for images of {size}, got {batch_size}")
