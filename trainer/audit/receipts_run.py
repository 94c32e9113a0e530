"""What `python -m trainer.receipts` does once its arguments are read: the proof, or the samples of one step."""

import argparse
import json
from dataclasses import asdict

from trainer.audit.exactly_once import Receipts


def run(options: argparse.Namespace) -> int:
    """Proves, or shows one step; returns the exit code: 1 when a sample was not delivered exactly once."""
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


def _show_step(receipts: Receipts, step: int, as_json: bool) -> int:
    parts = receipts.samples(step)
    whole = bool((receipts.times_delivered(step) == 1).all())
    if as_json:
        print(json.dumps({"step": step, "ranks": parts, "complete": whole}))
    else:
        for part in parts:
            note = "" if part["delivered"] else "  (its receipt is of other samples)"
            print(f"rank {part['rank']}: {' '.join(map(str, part['indices']))}{note}")
    return 0 if whole else 1
