"""Two ranks train the `fast` preset to the published accuracy from one service, and never part.

Takes both cores for five to fifteen minutes. Its twin on one rank is `make demo`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.services import ServiceProcess
from tests.trainer.jobs import Job
from trainer.audit.exactly_once import Receipts

SERVICE = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--count", "train=192000", "--stop-with-stdin"
PUBLISHED = 0.99


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_ranks_train_the_fast_preset_to_the_published_accuracy_with_the_same_weights(tmp_path: Path) -> None:
    with ServiceProcess(*SERVICE) as service:
        # The steps of one rank: the preset's global batch, half of it for each.
        more = "--ranks", "2", "-o", "global_batch_size=64", "-o", "save_checkpoint_steps=100"
        job = Job(tmp_path / "run", "--json", "--datagen", service.target, *more)
        trained = job.summary(within_s=7000)
        command = [sys.executable, "-m", "evaluator", "--ckpt", str(job.run_dir), "--datagen", service.target, "--json"]
        evaluated = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    proof = Receipts(job.run_dir).prove()
    print(f"\n2 ranks: {evaluated['accuracy']:.2%} of {evaluated['samples']} test captchas, {trained['train_s']} s")
    print(f"weights the same on both ranks at {proof.checkpoints} checkpoints, {proof.diverged} diverged; {proof}")
    assert evaluated["accuracy"] >= PUBLISHED
    assert (proof.ranks, proof.steps, proof.checkpoints, proof.diverged) == (2, 3000, 30, 0)
    assert proof.holds
