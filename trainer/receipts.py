"""`python -m trainer.receipts RUN_DIR`: proves that every sample of every step was delivered exactly once.

The proof itself is in `audit/exactly_once.py`.
"""

if __name__ == "__main__":
    from shared.system.signals import end_at_once_on_interrupt

    end_at_once_on_interrupt()

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from shared.system.command_line import CommandParser, run

if TYPE_CHECKING:
    from trainer.audit.exactly_once import Receipts

_EXAMPLES = """\
examples:
  python -m trainer.receipts run               were all samples of all steps delivered, each once?
  python -m trainer.receipts run --step 120    which samples were in step 120, and on which rank?
"""


def main(argv: Sequence[str]) -> int:
    """Proves, or shows one step; returns the exit code."""
    about = "Proves from the receipts of a run that every sample of every step was delivered exactly once."
    parser = CommandParser("python -m trainer.receipts", description=about, epilog=_EXAMPLES)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("--step", type=int, metavar="N", help="show the samples of one step, counted from 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    # NumPy and pydantic take a moment to import: --help and a mistyped flag do not wait for them.
    from trainer.audit.exactly_once import Receipts

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
        same = proof.checkpoints - proof.diverged
        print(f"weights     the same on all ranks at {same:,} of {proof.checkpoints:,} checkpoints")
    return 0 if proof.holds else 1


def _show_step(receipts: "Receipts", step: int, as_json: bool) -> int:
    parts = receipts.samples(step)
    whole = bool((receipts.times_delivered(step) == 1).all())
    if as_json:
        print(json.dumps({"step": step, "ranks": parts, "complete": whole}))
    else:
        for part in parts:
            note = "" if part["delivered"] else "  (its receipt is of other samples)"
            print(f"rank {part['rank']}: {' '.join(map(str, part['indices']))}{note}")
    return 0 if whole else 1


if __name__ == "__main__":
    run(main, "receipts")
