"""Training runs of several processes under test: started as a user does, watched through the process table.

Note: a job is not asked which processes belong to it. An environment variable marks its first process, every descendant
inherits it, and so nothing that a job leaves behind can hide: no rank, no renderer, no `tail` of MindSpore's launcher.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.distributed.processes import is_alive

GONE_WITHIN_S = 15.0
_HANGS_AFTER_S = 600.0
_MARK = "CAPTCHA_TEST_JOB"


class Job:
    """One `python -m trainer ...` and all that it starts."""

    def __init__(self, run_dir: Path, *arguments: str, host: str = "") -> None:
        """host: a network namespace to run in."""
        self.run_dir, self.mark = run_dir, uuid.uuid4().hex
        self._stderr = run_dir.with_name(f"{run_dir.name}{host}.stderr")
        inside = ["ip", "netns", "exec", host] if host else []
        with self._stderr.open("w") as stderr:
            self.launcher = subprocess.Popen(
                [*inside, sys.executable, "-m", "trainer", "--run-dir", str(run_dir), *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, _MARK: self.mark},
            )

    @property
    def stderr(self) -> str:
        """What it has printed there."""
        return self._stderr.read_text()

    def processes(self) -> dict[int, str]:
        """All that live, by process id: "rank 0" (of this host's), "scheduler" or the command."""
        found = {int(path.name): _describe(path, self.mark) for path in Path("/proc").iterdir() if path.name.isdigit()}
        return {pid: what for pid, what in found.items() if what is not None and is_alive(pid)}

    def pid(self, what: str) -> int:
        """Of one process."""
        return next(pid for pid, found in self.processes().items() if found == what)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        file = self.run_dir / "metrics.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def events(self, process: str) -> str:
        """What a process ("0", "1", "scheduler") has written for the launcher."""
        file = self.run_dir / "logs" / f"process-{process}.jsonl"
        return file.read_text() if file.exists() else ""

    def wait_until(self, condition: Callable[[], object], every_s: float = 0.02) -> None:
        """Looks again and again; fails when the job ends before."""
        while not condition():
            assert self.launcher.poll() is None, self.stderr
            time.sleep(every_s)

    def wait_for_step(self, step: int) -> None:
        """With log_steps=1."""
        self.wait_until(lambda: len(self.metrics()) >= step)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        while alive := self.processes():
            for pid in alive:
                os.kill(pid, signal.SIGKILL)
        self.end()

    def seconds_until_gone(self, within_s: float = GONE_WITHIN_S) -> float:
        """From now until no process is left; fails when that takes longer."""
        started = time.monotonic()
        while self.launcher.poll() is None or self.processes():
            if time.monotonic() > started + within_s:
                left = self.processes()
                self.kill()
                raise AssertionError(f"left after {within_s} s: {left}; {self.stderr}")
            time.sleep(0.02)
        self.end()
        return time.monotonic() - started

    def end(self, within_s: float = _HANGS_AFTER_S) -> str:
        """Waits for the launcher's end and returns what it printed; a hang is a failure."""
        return self.launcher.communicate(timeout=within_s)[0]

    def summary(self, within_s: float = _HANGS_AFTER_S) -> dict[str, Any]:
        """Of a job started with --json, at its good end, which leaves nothing behind."""
        out = self.end(within_s)
        assert self.launcher.returncode == 0, self.stderr
        assert not self.processes()
        result: dict[str, Any] = json.loads(out)
        return result


def _describe(path: Path, mark: str) -> str | None:
    try:
        environment = (path / "environ").read_bytes().split(b"\0")
        command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    if f"{_MARK}={mark}".encode() not in environment:
        return None
    if "-m trainer.distributed.msrun " in command or "-m trainer.distributed.rank_process " not in command:
        return command
    if b"MS_ROLE=MS_SCHED" in environment:
        return "scheduler"
    return "rank " + next(item[10:].decode() for item in environment if item.startswith(b"DEVICE_ID="))


MOMENTS = ("started", "joining", "compiling", "training", "saving")
"Of a run's life; see `wait_for_moment`."


def wait_for_moment(job: Job, moment: str, chance: random.Random) -> None:
    """Waits for a random point within that part of the life of a job of two ranks.

    Started: as soon as the ranks are in the process table; joining: before they have met; compiling: in or near the
    first step; training: between steps; saving: while a checkpoint is written. Needs log_steps=1 and many checkpoints.
    """
    if moment in ("started", "joining"):
        job.wait_until(lambda: {"rank 0", "rank 1"} <= set(job.processes().values()))
        time.sleep(chance.uniform(0.0, 4.0) if moment == "joining" else 0.0)
    elif moment == "compiling":
        job.wait_until(lambda: all('"training"' in job.events(process) for process in "01"))
        time.sleep(chance.uniform(0.0, 0.5))
    elif moment == "training":
        job.wait_for_step(chance.randint(1, 100))
        time.sleep(chance.uniform(0.0, 0.05))
    else:
        job.wait_for_step(chance.randint(1, 100))
        folder = job.run_dir / "checkpoints"
        job.wait_until(lambda: any(folder.glob(".*.partial*")), every_s=0.001)
