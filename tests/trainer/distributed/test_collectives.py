"""Several CPU ranks as a user starts them: the same steps as one rank, placed by their table, named when they fail.

Kills at random moments are in `tests/chaos/kills`, runs on changing numbers of ranks in `test_elastic.py`.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from tests.support.services import served
from tests.support.toys import ToySource
from tests.trainer.distributed.tables.rank_tables import table
from tests.trainer.jobs import Job
from trainer.audit.exactly_once import Receipts

SMALL = {
    "hidden_size": 16,
    "columns_per_frame": 2,
    "captcha_width": 24,
    "captcha_height": 16,
    "global_batch_size": 8,
    "log_steps": 1,
    "save_checkpoint_steps": 5,
}
KEYS = [part for key, value in SMALL.items() for part in ("-o", f"{key}={value}")]
STEPS = 20


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with served() as target:
        yield target


def _losses(job: Job) -> list[float]:
    return [row["loss"] for row in job.metrics()]


def _swapped_ranks(folder: Path) -> Path:
    """A table that gives the first device of this host to rank 1."""
    values = table(2)
    for device, rank, number in zip(values["server_list"][0]["device"], "10", "45", strict=True):
        device |= {"rank_id": rank, "device_id": number}
    file = folder / "rank_table.json"
    file.write_text(json.dumps(values))
    return file


class HeldBack(ToySource):
    """Answers so many reads; the next one has to wait until `gate` is set."""

    def __init__(self, num_answered: int) -> None:
        super().__init__()
        self.gate = threading.Event()
        self._num_answered = num_answered

    def _compute(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Records:
        if self._num_answered == 0:
            assert self.gate.wait(120)
        self._num_answered -= 1
        return super()._compute(split, indices, codec)


def test_two_ranks_placed_by_a_table_take_the_steps_of_one_and_the_one_without_data_is_named(
    service: str, tmp_path: Path
) -> None:
    steps, held_back = ("--json", "--steps", str(STEPS)), HeldBack(STEPS - 5)
    one = Job(tmp_path / "one", "--datagen", service, *KEYS, *steps)
    one.summary()
    with served(held_back) as late:  # Rank 1 begins to read at the second of two replicas.
        placed = "--rank-table", str(_swapped_ranks(tmp_path)), "--datagen", f"{service},{late}", "-o", "prefetch=1"
        two = Job(tmp_path / "two", *placed, *KEYS, *steps)
        two.wait_for_step(STEPS - 5)
        time.sleep(2.0)
        held_back.gate.set()
        summary = two.summary()
    assert _losses(two) == pytest.approx(_losses(one), rel=1e-4)
    found = [Receipts(job.run_dir).prove() for job in (one, two)]
    assert [(proof.ranks, proof.delivered, proof.holds) for proof in found] == [(1, 160, True), (2, 160, True)]
    assert found[0].digest == found[1].digest
    assert (found[1].checkpoints, found[1].diverged) == (4, 0)
    assert json.loads(Path(summary["checkpoint"]).with_suffix(".json").read_text())["ranks"] == 2
    assert '"rank": 1' in two.events("0").splitlines()[1]  # The table gives its first device to rank 1.
    shares = two.metrics()[STEPS - 5]["rank_wait_shares"]
    assert shares[1] > max(0.2, shares[0])
    assert f"wait {shares[1]:.1%} (rank 1)" in two.stderr


def test_a_killed_rank_is_named_nothing_is_left_and_one_rank_goes_on(service: str, tmp_path: Path) -> None:
    job = Job(tmp_path / "run", "--datagen", service, *KEYS, "--ranks", "2", "--steps", "300")
    job.wait_for_step(8)
    alive = sorted(job.processes().values())
    assert alive[-3:] == ["rank 0", "rank 1", "scheduler"]
    assert len(alive) == 5, alive  # Besides these the launcher and msrun, and no `tail` of a log.
    os.kill(job.pid("rank 1"), signal.SIGKILL)
    job.seconds_until_gone()
    assert job.launcher.returncode == 1
    assert "trainer: rank 1 died without an error message, killed or out of memory; its log is" in job.stderr
    Job(job.run_dir, "--json", "--datagen", service, "--resume").summary()
    proof = Receipts(job.run_dir).prove()
    assert (proof.steps, proof.ranks, proof.restarts, proof.holds) == (300, 1, 1, True)


def _fails(job: Job, exit_code: int, message: str) -> None:
    """In one line, or in the last one when training has begun, and with nothing left behind."""
    job.end()
    assert job.launcher.returncode == exit_code, job.stderr
    assert message in job.stderr.splitlines()[-1]
    assert "Traceback" not in job.stderr
    assert not job.processes()


def test_ranks_without_an_ascend_say_so_in_one_line_and_leave_nothing_to_resume(service: str, tmp_path: Path) -> None:
    placed = "--device", "ascend", "--rank-table", str(_swapped_ranks(tmp_path))
    job = Job(tmp_path / "run", "--datagen", service, *KEYS, *placed)
    _fails(job, 2, "--device ascend is not available here")
    assert len(job.stderr.splitlines()) == 1
    assert not (job.run_dir / "config.yaml").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "exit_code", "message"),
    [
        ("columns_per_frame=7", 2, "columns_per_frame must divide the image width (24), got 7"),
        ("learning_rate=1e30", 1, "; lower learning_rate or clip_norm"),
        ("save_checkpoint_path=/dev/null", 1, "rank 0: "),
    ],
)
def test_a_rank_that_fails_has_the_last_word(
    key: str, exit_code: int, message: str, service: str, tmp_path: Path
) -> None:
    job = Job(tmp_path / "run", "--datagen", service, *KEYS, "--ranks", "2", "--steps", "100", "-o", key)
    _fails(job, exit_code, message)
    print(f"\n{job.stderr.splitlines()[-1]}")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ranks", "0"], "--ranks must be at least 1, got 0"),
        (["--ranks", "3"], "global_batch_size must be a multiple of ranks (3), got 8"),
        (["--rank-table", "none.json"], "cannot read the rank table none.json: No such file or directory"),
        (["--ranks", "2", "--node-rank", "1"], "--node-rank is for runs on several hosts; pass it with --rank-table"),
        (["--ranks", "2", "--rank-table", "x"], "argument --rank-table: not allowed with argument --ranks"),
    ],
)
def test_bad_input_is_one_line_and_starts_no_rank(service: str, tmp_path: Path, more: list[str], message: str) -> None:
    job = Job(tmp_path / "run", "--datagen", service, *KEYS, *more)
    _fails(job, 2, message)
    assert len(job.stderr.splitlines()) == 1
    assert not job.run_dir.exists()
