"""Ranks, their service, their launcher killed at random moments: all gone in seconds or training goes on, no hang.

Every job's processes are counted in the process table. Moments are drawn from every part of a run's life; see
`tests.trainer.jobs.MOMENTS`.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import ServiceProcess
from tests.trainer.jobs import GONE_WITHIN_S, MOMENTS, Job, wait_for_moment
from trainer.audit.exactly_once import Receipts

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

TRIES = 10
RANKS = "--ranks", "2"
SMALL = ["-o", "hidden_size=16", "-o", "global_batch_size=8", "-o", "log_steps=1", "-o", "save_checkpoint_steps=2"]
TOY = [*RANKS, *SMALL, *["-o", "columns_per_frame=2", "-o", "captcha_width=24", "-o", "captcha_height=16"]]
ENDLESS = "--steps", "1000000"
STEPS = "--steps", "400"
PATIENCE_S = 20.0
"Of a reader whose service stays away."


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with ServiceProcess() as process:
        yield process.target


def _moments(kind: str, tries: int = TRIES) -> Iterator[tuple[str, random.Random]]:
    """Each part of a run's life equally often, with a source of randomness for the rest."""
    chance = random.Random(kind)
    for number in range(tries):
        yield MOMENTS[number % len(MOMENTS)], chance


def _report(kind: str, tries: int, result: str) -> None:
    moments = Counter(moment for moment, _ in _moments(kind, tries))
    shown = ", ".join(f"{count} {moment}" for moment, count in moments.items())
    print(f"\n{kind}: {tries} tries ({shown}); 0 orphans, 0 hangs; {result}")


@pytest.mark.parametrize(
    ("kind", "victims"), [("rank killed", ("rank 0", "rank 1")), ("scheduler killed", ("scheduler",))]
)
def test_a_killed_process_is_named_and_all_is_gone(
    kind: str, victims: tuple[str, ...], service: str, tmp_path: Path
) -> None:
    longest_s = 0.0
    for number, (moment, chance) in enumerate(_moments(kind)):
        job = Job(tmp_path / str(number), "--datagen", service, *TOY, *ENDLESS)
        wait_for_moment(job, moment, chance)
        victim = chance.choice(victims)
        os.kill(job.pid(victim), signal.SIGKILL)
        longest_s = max(longest_s, job.seconds_until_gone())
        assert job.launcher.returncode == 1, (moment, job.stderr)
        assert f"{victim} died without an error message, killed or out of memory; its log is" in job.stderr, (
            moment,
            job.stderr,
        )
    _report(kind, TRIES, f"all gone within {longest_s:.1f} s")


@pytest.mark.parametrize(
    ("kind", "number", "exit_codes"),
    [("launcher killed", signal.SIGKILL, {-9}), ("SIGTERM", signal.SIGTERM, {143}), ("Ctrl-C", signal.SIGINT, {130})],
)
def test_a_launcher_that_ends_takes_all_with_it(
    kind: str, number: signal.Signals, exit_codes: set[int], tmp_path: Path
) -> None:
    longest_s = 0.0
    for place, (moment, chance) in enumerate(_moments(kind)):
        # With a service of its own: it must go too.
        job = Job(tmp_path / str(place), *RANKS, *SMALL, "-o", "columns_per_frame=8", *ENDLESS)
        wait_for_moment(job, moment, chance)
        job.launcher.send_signal(number)
        longest_s = max(longest_s, job.seconds_until_gone())
        assert job.launcher.returncode in exit_codes, (moment, job.stderr)
        assert "Traceback" not in job.stderr
    _report(kind, TRIES, f"all gone within {longest_s:.1f} s")


def test_a_service_that_comes_back_costs_only_time(tmp_path: Path) -> None:
    with ServiceProcess() as service:
        whole = Job(tmp_path / "whole", "--json", "--datagen", service.target, *TOY, *STEPS).summary()
        for number, (moment, chance) in enumerate(_moments("service killed and restarted")):
            job = Job(tmp_path / str(number), "--json", "--datagen", service.target, *TOY, *STEPS)
            wait_for_moment(job, moment, chance)
            service.end()
            service.start()
            assert job.summary()["weights_digest"] == whole["weights_digest"], moment
            assert Receipts(job.run_dir).prove().holds
    _report("service killed and restarted", TRIES, "training went on to the same weights, 0 missing, 0 duplicated")


def test_a_service_that_stays_away_ends_the_run_with_its_name(tmp_path: Path) -> None:
    longest_s, tries = 0.0, len(MOMENTS)
    for number, (moment, chance) in enumerate(_moments("service killed for good", tries)):
        with ServiceProcess() as service:
            patience = "--patience", f"{PATIENCE_S:.0f}"
            job = Job(tmp_path / str(number), "--datagen", service.target, *patience, *TOY, *ENDLESS)
            wait_for_moment(job, moment, chance)
            service.end()
        longest_s = max(longest_s, job.seconds_until_gone(PATIENCE_S + GONE_WITHIN_S))
        assert job.launcher.returncode == 1, (moment, job.stderr)
        assert service.target in job.stderr.splitlines()[-1], (moment, job.stderr)
    _report("service killed for good", tries, f"all gone within {longest_s:.1f} s, {PATIENCE_S:.0f} of them retrying")


def _resumed(job: Job, service: str) -> dict[str, Any]:
    """The summary of the next start after a job was killed; from the beginning if it had not even begun."""
    has_begun = (job.run_dir / "config.yaml").exists()
    more = ("--resume", *RANKS) if has_begun else (*TOY, *STEPS)
    return Job(job.run_dir, "--json", "--datagen", service, *more).summary()


def test_a_job_killed_whole_and_resumed_ends_with_the_same_weights(service: str, tmp_path: Path) -> None:
    whole = Job(tmp_path / "whole", "--json", "--datagen", service, *TOY, *STEPS).summary()
    for number, (moment, chance) in enumerate(_moments("job killed whole")):
        job = Job(tmp_path / str(number), "--datagen", service, *TOY, *STEPS)
        wait_for_moment(job, moment, chance)
        job.kill()
        assert _resumed(job, service)["weights_digest"] == whole["weights_digest"], moment
        assert Receipts(job.run_dir).prove().holds
    _report("job killed whole", TRIES, "resumed: bit-identical weights each time, 0 missing, 0 duplicated")
