"""One run on any number of ranks: the same global batches, the same losses, and a change of ranks in its middle."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.system.embedded_service import embedded_service
from tests.support.services import served
from tests.trainer.jobs import Job
from trainer.audit.exactly_once import Receipts

pytestmark = pytest.mark.long

RANKS = 1, 2, 4
NUM_COMPARED = 50


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with embedded_service(counts={"train": 1600, "test": 50}, num_workers=1) as target:
        yield target


@pytest.mark.timeout(2400)
def test_one_two_and_four_ranks_read_the_same_global_batches_and_learn_the_same(service: str, tmp_path: Path) -> None:
    fast = "--datagen", service, "--epochs", "3", "-o", "global_batch_size=64", "-o", "log_steps=1"
    proofs, losses = [], []
    for ranks in RANKS:
        job = Job(tmp_path / str(ranks), "--json", "--ranks", str(ranks), *fast)
        job.summary()
        proofs.append(Receipts(job.run_dir).prove())
        losses.append([row["loss"] for row in job.metrics()][:NUM_COMPARED])
    assert [(proof.ranks, proof.epochs, proof.steps, proof.holds) for proof in proofs] == [
        (n, 3, 75, True) for n in RANKS
    ]
    assert len({proof.digest for proof in proofs}) == 1
    apart = [max(abs(a - b) / b for a, b in zip(other, losses[0], strict=True)) for other in losses[1:]]
    print(
        f"\n1, 2 and 4 ranks, fast preset, 3 epochs of 25 steps: one digest of all global batches, {proofs[0].digest}"
    )
    print(f"losses of {NUM_COMPARED} steps on 2 and 4 ranks differ from those on 1 by at most {apart} of their value")
    assert max(apart) <= 1e-4


@pytest.mark.timeout(1200)
def test_a_run_goes_on_from_two_to_four_to_one_rank(tmp_path: Path) -> None:
    run_dir, steps = tmp_path / "run", 400
    small = ["-o", "hidden_size=16", "-o", "global_batch_size=8", "-o", "log_steps=1", "-o", "save_checkpoint_steps=5"]
    small += ["-o", "columns_per_frame=2", "-o", "captcha_width=24", "-o", "captcha_height=16", "--steps", str(steps)]
    with served() as target:
        for ranks, killed_at, more in (("2", 30, small), ("4", 60, ["--resume"])):
            job = Job(run_dir, "--datagen", target, "--ranks", ranks, *more)
            job.wait_for_step(killed_at)
            os.kill(job.launcher.pid, signal.SIGKILL)
            job.seconds_until_gone()
        Job(run_dir, "--json", "--datagen", target, "--resume").summary()
    proof = Receipts(run_dir).prove()
    assert (proof.steps, proof.ranks, proof.restarts, proof.holds) == (steps, 1, 2, True)
    print(f"\n2 -> 4 -> 1 ranks: {proof.delivered} delivered, {proof.missing} missing, {proof.duplicated} duplicated")
