"""The proof, from receipts, that every sample of every step was delivered to exactly one rank, exactly once.

It computes the receipt of every step again from the reading order and compares the two, over restarts and changing
numbers of ranks.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from shared.dataset.spec import MAX_SEED
from shared.errors import DataLoss, InvalidRequest, StreamingError, UsageError
from shared.json_lines import read_json_lines
from shared.recogniser.checkpoint_info import info_file, list_checkpoints, read_info_alone
from shared.recogniser.run_layout import RunLayout
from trainer.audit.receipt_files import Receipt, ReceiptHeader, WeightsRecord, receipt_files
from trainer.config import load_config

_HEADER, _RECEIPT, _WEIGHTS = TypeAdapter(ReceiptHeader), TypeAdapter(Receipt), TypeAdapter(WeightsRecord)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Delivered and expected samples, compared."""

    ranks: int
    "In the last step."
    epochs: int
    "Epochs begun."
    steps: int
    "That shaped the newest checkpoint; receipts of later steps are not counted."
    delivered: int
    missing: int
    duplicated: int
    digest: str
    "SHA-256 over the indices of all global batches in order; the same for any number of ranks."
    restarts: int
    checkpoints: int
    "At which the ranks recorded the digest of their weights."
    diverged: int
    "Checkpoints at which a rank recorded other weights than the others, or none."

    @property
    def holds(self) -> bool:
        """Whether every sample of every step was delivered exactly once, to ranks with the same weights."""
        return self.missing == self.duplicated == self.diverged == 0


class Receipts:
    """All receipts of a run. Raises `UsageError` when there are none, `DataLoss` when they are of two runs."""

    def __init__(self, run_dir: Path) -> None:
        files = receipt_files(RunLayout(run_dir).receipts)
        self.steps = _newest_cursor(RunLayout(run_dir))
        if not files or not self.steps:
            what = "receipts" if not files else "finished checkpoint"
            raise UsageError(f"{run_dir} holds no {what}; give the --run-dir of a training run")
        self.by_step: dict[int, list[tuple[ReceiptHeader, Receipt]]] = defaultdict(list)
        self.weights: dict[int, list[tuple[ReceiptHeader, WeightsRecord]]] = defaultdict(list)
        self.restarts = -1
        self.facts: ReceiptHeader | None = None
        for path in files:
            try:
                self._read(path)
            except ValidationError as error:
                first = error.errors()[0]
                raise DataLoss(f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if self.facts is None:
            raise DataLoss(f"{files[0]} is damaged: it has no header line")

    def prove(self) -> Proof:
        """Compares the receipts with the reading order, step by step."""
        hasher, delivered, missing, duplicated, ranks = hashlib.sha256(), 0, 0, 0, 0
        for step in range(1, self.steps + 1):
            times = self.times_delivered(step)
            hasher.update(self._global(step).tobytes() if times.all() else b"incomplete")
            delivered += int((times > 0).sum())
            missing += int((times == 0).sum())
            duplicated += int(np.maximum(times - 1, 0).sum())
            ranks = max((header.ranks for header, _ in self.by_step[step]), default=ranks)
        return Proof(
            ranks=ranks,
            epochs=(self.steps - 1) // self._facts.slice.num_steps + 1,
            steps=self.steps,
            delivered=delivered,
            missing=missing,
            duplicated=duplicated,
            digest=hasher.hexdigest(),
            restarts=self.restarts,
            checkpoints=len(self.weights),
            diverged=sum(map(_have_diverged, self.weights.values())),
        )

    def times_delivered(self, step: int) -> NDArray[np.int64]:
        """int64 [global_batch_size]: how often each sample of the step's global batch came, by position."""
        times = np.zeros(self._facts.global_batch_size, np.int64)
        whole = self._global(step)
        for header, receipt in self.by_step[step]:
            size = header.slice.batch_size
            part = slice(header.rank * size, (header.rank + 1) * size)
            times[part] += Receipt.of(step, whole[part]) == receipt
        return times

    def samples(self, step: int) -> list[dict[str, Any]]:
        """The samples of one step: for each rank its indices, and whether its receipt matches them."""
        if not 1 <= step <= self.steps:
            raise UsageError(f"--step must be in 1..{self.steps}, got {step}")
        found = []
        for header, receipt in self.by_step[step]:
            indices = header.indices(step)
            matches = Receipt.of(step, indices) == receipt
            found.append({"rank": header.rank, "indices": indices.tolist(), "delivered": matches})
        return found

    @property
    def _facts(self) -> ReceiptHeader:
        assert self.facts is not None  # noqa: S101 - checked when the files were read.
        return self.facts

    def _global(self, step: int) -> NDArray[np.uint64]:
        return self._facts.indices(step)

    def _read(self, path: Path) -> None:
        header: ReceiptHeader | None = None
        for values in read_json_lines(path):
            if "resumed_after" in values:
                header = _HEADER.validate_python(values)
                _check(header, path)
                self.restarts += header.rank == 0
                if self.facts is not None and self.facts != header.order_facts():
                    raise DataLoss(f"{path} is of another run than the receipts beside it: its reading order differs")
                self.facts = header.order_facts()
            elif header is not None and "weights_digest" in values:
                record = _WEIGHTS.validate_python(values)
                if record.step <= self.steps:
                    self.weights[record.step].append((header, record))
            elif header is not None:
                receipt = _RECEIPT.validate_python(values)
                self.by_step[receipt.step].append((header, receipt))


def _check(header: ReceiptHeader, path: Path) -> None:
    """Raises `DataLoss` for a reading order that there cannot be."""
    try:
        if not 0 <= header.order_seed <= MAX_SEED:
            raise InvalidRequest("order_seed", f"must be in 0..{MAX_SEED}, got {header.order_seed}")
        header.indices(1)
    except StreamingError as error:
        raise DataLoss(f"{path} is damaged: {error}") from error


def _have_diverged(records: Sequence[tuple[ReceiptHeader, WeightsRecord]]) -> bool:
    """Whether the ranks of one checkpoint recorded different weights, or a rank recorded none."""
    ranks = {header.rank for header, _ in records}
    return len({record.weights_digest for _, record in records}) > 1 or len(ranks) < max(
        header.ranks for header, _ in records
    )


def _newest_cursor(run: RunLayout) -> int:
    """Steps done at the newest finished checkpoint; 0 without one."""
    if not run.config_file.is_file():
        raise UsageError(f"{run.path} is no run directory: it has no config.yaml")
    folder = run.path / load_config({}, run.config_file, ()).save_checkpoint_path
    return max((_cursor(path) for path in list_checkpoints(folder)), default=0)


def _cursor(checkpoint: Path) -> int:
    """Steps done at a checkpoint; raises `DataLoss` where its JSON contradicts itself."""
    info = read_info_alone(checkpoint)
    if not 1 <= info.global_batch_size <= info.split_count:
        raise DataLoss(f"{info_file(checkpoint)} is damaged: global_batch_size is {info.global_batch_size}")
    if info.global_step != (info.epoch - 1) * (info.split_count // info.global_batch_size) + info.step:
        raise DataLoss(f"{info_file(checkpoint)} is damaged: global_step {info.global_step} is not its epoch and step")
    return info.global_step
