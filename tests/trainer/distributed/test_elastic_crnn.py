"""Preset `crnn` with augmentation on any number of ranks: the same batches and losses, and no step lost by a kill."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.system.embedded_service import embedded_service
from tests.trainer.jobs import Job
from trainer.audit.exactly_once import Receipts

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

RANKS = 1, 2, 4
NUM_STEPS = 50
WITHIN_S = 1800.0
CRNN = "--preset", "crnn", "-o", "augment=light", "-o", "global_batch_size=32", "-o", "log_steps=1"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """An epoch is 25 steps."""
    with embedded_service(counts={"train": 800, "test": 50}, num_workers=1) as target:
        yield target


@pytest.fixture(scope="module")
def jobs(service: str, tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Runs of 50 steps on 1, 2 and 4 ranks, at their end."""
    jobs = []
    for ranks in RANKS:
        run_dir = tmp_path_factory.mktemp("crnn") / str(ranks)
        job = Job(run_dir, "--json", "--datagen", service, "--ranks", str(ranks), "--steps", str(NUM_STEPS), *CRNN)
        job.summary(WITHIN_S)
        jobs.append(job)
    return jobs


def test_one_two_and_four_ranks_read_the_same_global_batches_and_learn_the_same(jobs: list[Job]) -> None:
    proofs = [Receipts(job.run_dir).prove() for job in jobs]
    assert [(proof.ranks, proof.steps, proof.holds) for proof in proofs] == [(n, NUM_STEPS, True) for n in RANKS]
    assert len({proof.digest for proof in proofs}) == 1
    losses = [[row["loss"] for row in job.metrics()] for job in jobs]
    assert [len(each) for each in losses] == [NUM_STEPS] * len(RANKS)
    apart = [max(abs(a - b) / b for a, b in zip(other, losses[0], strict=True)) for other in losses[1:]]
    print(f"\ncrnn, augmented: one digest of all global batches on 1, 2 and 4 ranks, {proofs[0].digest}")
    print(f"losses of {NUM_STEPS} steps on 2 and 4 ranks differ from those on 1 by at most {apart} of their value")
    assert max(apart) <= 1e-4


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(service: str, jobs: list[Job], tmp_path: Path) -> None:
    whole = _weights_digest(jobs[RANKS.index(2)])
    steps = "--steps", str(NUM_STEPS), "-o", "save_checkpoint_steps=10"
    job = Job(tmp_path / "run", "--datagen", service, "--ranks", "2", *CRNN, *steps)
    job.wait_for_step(25)
    os.kill(job.launcher.pid, signal.SIGKILL)
    job.seconds_until_gone(60.0)
    resumed = Job(tmp_path / "run", "--json", "--datagen", service, "--ranks", "2", "--resume")
    resumed.summary(WITHIN_S)
    assert _weights_digest(resumed) == whole
    proof = Receipts(tmp_path / "run").prove()
    assert (proof.steps, proof.restarts, proof.holds) == (NUM_STEPS, 1, True)


def test_a_finished_run_goes_on_with_fewer_ranks_and_loses_nothing(service: str, tmp_path: Path) -> None:
    first = "--ranks", "2", "--steps", "20"
    Job(tmp_path / "run", "--json", "--datagen", service, *CRNN, *first).summary(WITHIN_S)
    then = "--ranks", "1", "--steps", "40", "--resume"
    Job(tmp_path / "run", "--json", "--datagen", service, *then).summary(WITHIN_S)
    proof = Receipts(tmp_path / "run").prove()
    assert (proof.steps, proof.ranks, proof.holds) == (40, 1, True)
    assert (proof.missing, proof.duplicated) == (0, 0)


def _weights_digest(job: Job) -> str:
    digest: str = read_info(find_checkpoint(job.run_dir)).weights_digest
    return digest
