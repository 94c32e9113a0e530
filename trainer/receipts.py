"""`python -m trainer.receipts RUN_DIR`: the proof that every sample of every step came exactly once.

What surprises: the proof does not trust the receipts. It computes the samples of every step anew from the reading order
and compares digests, over restarts and changing numbers of ranks.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from shared.errors import DataLoss, UsageError
from shared.system.command_line import CommandParser, run
from trainer.audit.receipt_files import FOLDER, Reading, Receipt, WeightsNote, digest_of, read_lines, receipt_files
from trainer.config import load_config

_EXAMPLES = """\
examples:
  python -m trainer.receipts run               were all samples of all steps delivered, each once?
  python -m trainer.receipts run --step 120    which samples were in step 120, and on which rank?
"""


_READING, _RECEIPT = TypeAdapter(Reading), TypeAdapter(Receipt)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Delivered and expected samples, compared."""

    ranks: int
    "In the last step."
    epochs: int
    "Begun."
    steps: int
    "That shaped the newest checkpoint; receipts of later steps are not counted."
    delivered: int
    missing: int
    duplicated: int
    digest: str
    "SHA-256 over the indices of all global batches in order; the same for any number of ranks."
    restarts: int
    checkpoints: int
    "At which all ranks noted the digest of their weights."
    parted: int
    "Checkpoints at which a rank noted other weights than the others, or none."

    @property
    def holds(self) -> bool:
        """Whether every sample of every step was delivered exactly once, to ranks with the same weights."""
        return self.missing == self.duplicated == self.parted == 0


class Receipts:
    """All receipts of a run. Raises `UsageError` when there are none, `DataLoss` when they are of two runs."""

    def __init__(self, run_dir: Path) -> None:
        files = receipt_files(run_dir / FOLDER)
        self.steps = _newest_cursor(run_dir)
        if not files or not self.steps:
            what = "receipts" if not files else "finished checkpoint"
            raise UsageError(f"{run_dir} holds no {what}; give the --run-dir of a training run")
        self.by_step: dict[int, list[tuple[Reading, Receipt]]] = defaultdict(list)
        self.weights: dict[int, list[tuple[Reading, WeightsNote]]] = defaultdict(list)
        self.restarts = -1
        self.facts: Reading | None = None
        for path in files:
            try:
                self._read(path)
            except ValidationError as error:
                first = error.errors()[0]
                raise DataLoss(f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if self.facts is None:
            raise DataLoss(f"{files[0]} is damaged: no line of it says where reading began")

    def prove(self) -> Proof:
        """Compares the receipts with the reading order, step by step."""
        hasher, delivered, missing, duplicated, ranks = hashlib.sha256(), 0, 0, 0, 0
        for step in range(1, self.steps + 1):
            times = self.times_delivered(step)
            hasher.update(self._global(step).tobytes() if times.all() else b"incomplete")
            delivered += int((times > 0).sum())
            missing += int((times == 0).sum())
            duplicated += int(np.maximum(times - 1, 0).sum())
            ranks = max((reading.ranks for reading, _ in self.by_step[step]), default=ranks)
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
            parted=sum(map(_have_parted, self.weights.values())),
        )

    def times_delivered(self, step: int) -> NDArray[np.int64]:
        """int64 [global_batch_size]: how often each sample of the step's global batch came, by position."""
        times = np.zeros(self._facts.global_batch_size, np.int64)
        whole = self._global(step)
        for reading, receipt in self.by_step[step]:
            size = reading.slice.batch_size
            part = slice(reading.rank * size, (reading.rank + 1) * size)
            times[part] += digest_of(whole[part]) == receipt.digest
        return times

    def samples(self, step: int) -> list[dict[str, Any]]:
        """The samples of one step: for each rank its indices, and whether its receipt agrees with them."""
        if not 1 <= step <= self.steps:
            raise UsageError(f"--step must be in 1..{self.steps}, got {step}")
        found = []
        for reading, receipt in self.by_step[step]:
            indices = reading.indices(step)
            agrees = digest_of(indices) == receipt.digest
            found.append({"rank": reading.rank, "indices": indices.tolist(), "delivered": agrees})
        return found

    @property
    def _facts(self) -> Reading:
        assert self.facts is not None  # noqa: S101 - checked when the files were read.
        return self.facts

    def _global(self, step: int) -> NDArray[np.uint64]:
        return self._facts.indices(step)

    def _read(self, path: Path) -> None:
        reading: Reading | None = None
        for values in read_lines(path):
            if "resumed_after" in values:
                reading = _READING.validate_python(values)
                self.restarts += reading.rank == 0
                if self.facts is not None and self.facts != reading.order_facts():
                    raise DataLoss(f"{path} is of another run than the receipts beside it: its reading order differs")
                self.facts = reading.order_facts()
            elif reading is not None and "weights_digest" in values:
                note = WeightsNote(**values)
                if note.step <= self.steps:
                    self.weights[note.step].append((reading, note))
            elif reading is not None:
                receipt = _RECEIPT.validate_python(values)
                self.by_step[receipt.step].append((reading, receipt))


def _have_parted(notes: Sequence[tuple[Reading, WeightsNote]]) -> bool:
    """Whether the ranks of one checkpoint noted different weights, or not all of them any."""
    ranks = {reading.rank for reading, _ in notes}
    return len({note.weights_digest for _, note in notes}) > 1 or len(ranks) < max(
        reading.ranks for reading, _ in notes
    )


def main(argv: Sequence[str]) -> int:
    """Proves, or shows one step; returns the exit code."""
    about = "Proves from the receipts of a run that every sample of every step was delivered exactly once."
    parser = CommandParser("python -m trainer.receipts", description=about, epilog=_EXAMPLES)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("--step", type=int, metavar="N", help="show the samples of one step, counted from 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    receipts = Receipts(options.run_dir)
    if options.step is not None:
        return _show_step(receipts, options.step, options.json)
    proof = receipts.prove()
    if options.json:
        print(json.dumps(asdict(proof)))
    else:
        expected = proof.delivered + proof.missing
        print(
            f"steps       {proof.steps:,} in {proof.epochs:,} epochs, {proof.restarts:,} restarts, {proof.ranks} ranks"
        )
        print(f"delivered   {proof.delivered:,} of {expected:,} samples")
        print(f"missing     {proof.missing:,}")
        print(f"duplicated  {proof.duplicated:,}")
        print(f"digest      {proof.digest}")
        same = proof.checkpoints - proof.parted
        print(f"weights     the same on all ranks at {same:,} of {proof.checkpoints:,} checkpoints")
    return 0 if proof.holds else 1


def _show_step(receipts: Receipts, step: int, as_json: bool) -> int:
    parts = receipts.samples(step)
    whole = bool((receipts.times_delivered(step) == 1).all())
    if as_json:
        print(json.dumps({"step": step, "ranks": parts, "complete": whole}))
    else:
        for part in parts:
            agrees = "" if part["delivered"] else "  (its receipt is of other samples)"
            print(f"rank {part['rank']}: {' '.join(map(str, part['indices']))}{agrees}")
    return 0 if whole else 1


def _newest_cursor(run_dir: Path) -> int:
    """Steps done at the newest checkpoint; 0 without one. Read from the JSON beside it: no need of MindSpore here."""
    config = run_dir / "config.yaml"
    if not config.is_file():
        raise UsageError(f"{run_dir} is no run directory: it has no config.yaml")
    folder = run_dir / load_config({}, config, ()).save_checkpoint_path
    finished = [path for path in folder.glob("warpctc-*.json") if path.with_suffix(".ckpt").is_file()]
    return max((int(json.loads(path.read_text())["global_step"]) for path in finished), default=0)


if __name__ == "__main__":
    run(main, "receipts")
