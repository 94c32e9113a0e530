"""The files of receipts: which samples each rank consumed, written step by step.

RUN/receipts/rank-N.jsonl holds one header line per start (the first one and every restart), one line per step, and one
line with the digest of the rank's weights before every checkpoint.
Note: when a run resumes, the lines after its checkpoint are removed, because those steps are taken again.
"""

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice
from shared.json_lines import is_until, read_json_lines
from shared.system.atomic_file import write_atomic, writing

_FILE = re.compile(r"rank-[0-9]+\.jsonl")


@dataclass(frozen=True, kw_only=True)
class ReceiptHeader:
    """Where a rank started to read, and all that decides which samples it reads."""

    resumed_after: int
    "Steps done before, since the start of training."
    rank: int
    ranks: int
    split: str
    count: int
    "Samples in the split."
    global_batch_size: int
    order_seed: int
    shuffle: bool
    fingerprint: str

    @property
    def slice(self) -> RankSlice:
        """The rank's part of an epoch."""
        return RankSlice(count=self.count, global_batch_size=self.global_batch_size, rank=self.rank, ranks=self.ranks)

    def indices(self, step: int) -> NDArray[np.uint64]:
        """uint64 [n]: the samples that this rank must get in `step`, counted from 1 since the start of training."""
        epoch, step_of_epoch = divmod(step - 1, self.slice.num_steps)
        order = EpochOrder(self.count, self.order_seed, epoch, self.shuffle)
        return order.indices(self.slice.positions(step_of_epoch))

    def order_facts(self) -> Self:
        """Without the values that may change at a restart."""
        return replace(self, resumed_after=0, rank=0, ranks=1)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One step of one rank."""

    step: int
    "From 1 since the start of training, as in metrics.jsonl."
    num: int
    first: int
    last: int
    "First and last index of the rank's samples."
    digest: str
    "See `digest_of`."

    @classmethod
    def of(cls, step: int, indices: NDArray[np.uint64]) -> Self:
        """The receipt for the samples of one step."""
        return cls(step=step, num=len(indices), first=int(indices[0]), last=int(indices[-1]), digest=digest_of(indices))


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """A rank's weights just before a checkpoint was written."""

    step: int
    "Steps done since the start of training."
    weights_digest: str


class ReceiptWriter:
    """Writes one rank's receipts; every line is given to the kernel at once, so no kill can lose it.

    Raises `StreamingError` with the file where that is impossible, such as on a full disk.
    """

    def __init__(self, folder: Path, header: ReceiptHeader) -> None:
        self._path = own = folder / f"rank-{header.rank}.jsonl"
        with writing(own):
            folder.mkdir(parents=True, exist_ok=True)
            # The files of ranks that an earlier start had and this one has not: nobody else cuts them.
            files = receipt_files(folder) if header.rank == 0 else []
            for path in (own, *(path for path in files if _rank_of(path) >= header.ranks)):
                _cut(path, header.resumed_after)
            self._file = own.open("a", buffering=1)
        self._write(asdict(header))

    def add(self, step: int, indices: NDArray[np.uint64]) -> None:
        """Records the samples of a step that has been taken."""
        self._write(asdict(Receipt.of(step, indices)))

    def add_weights(self, step: int, weights_digest: str) -> None:
        """Records the weights and syncs all lines to the disk; call it before the checkpoint is written."""
        self._write(asdict(WeightsRecord(step=step, weights_digest=weights_digest)))
        self.sync()

    def sync(self) -> None:
        """Makes all lines survive a power cut."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Ends writing. All lines have been written; one that could not be has raised its error before."""
        with suppress(OSError):
            self._file.close()

    def _write(self, values: dict[str, Any]) -> None:
        with writing(self._path):
            self._file.write(json.dumps(values) + "\n")


def digest_of(indices: NDArray[np.uint64]) -> str:
    """BLAKE2b-128 over the indices as little-endian 64-bit integers, in hex."""
    return hashlib.blake2b(indices.astype("<u8").tobytes(), digest_size=16).hexdigest()


def receipt_files(folder: Path) -> list[Path]:
    """The files of all ranks, lowest rank first."""
    return sorted((path for path in folder.glob("rank-*.jsonl") if _FILE.fullmatch(path.name)), key=_rank_of)


def _rank_of(path: Path) -> int:
    return int(path.stem.removeprefix("rank-"))


def _cut(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = [values for values in read_json_lines(path) if is_until(values.get("step", 0), step)]
    write_atomic(path, "".join(json.dumps(values) + "\n" for values in kept))
