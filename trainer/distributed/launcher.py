"""Starts the ranks of this host through msrun, watches them, and leaves no process behind.

Note: nothing here waits for MindSpore to notice that a rank has died, which takes it half a minute. The launcher knows
every process by its events, ends all as soon as one has failed, and the kernel ends all when the launcher is killed.
"""

import logging
import shutil
import signal
import subprocess
import time
from typing import Any

from shared.errors import StreamingError
from shared.security.credentials import Access
from trainer.distributed.heartbeat import HostHeartbeats
from trainer.distributed.launch_command import LaunchCommand
from trainer.distributed.placement import Placement
from trainer.distributed.processes import children, kill_all
from trainer.distributed.rank_events import EventKind
from trainer.distributed.rank_monitor import MSRUN_LOG, RankMonitor
from trainer.distributed.world import World
from trainer.page.metrics_option import PageOptions
from trainer.progress.terminal import TrainingProgress
from trainer.run_dir import MetricsRow, RunDir, Summary

_LOG = logging.getLogger(__name__)
STOP_GRACE_S = 8.0
"For the current step and the checkpoint, after Ctrl-C or SIGTERM."
_END_GRACE_S = 20.0
_POLL_S = 0.1
_REMIND_AFTER_S, _REMIND_EVERY_S = 5.0, 60.0
"Of hosts that others wait for. MindSpore waits for them without a word."


class Launcher:
    """One start of all ranks of this host."""

    def __init__(self, placement: Placement, run: RunDir, progress: TrainingProgress, pages: PageOptions) -> None:
        self._placement, self._run, self._progress, self._pages = placement, run, progress, pages
        several = placement.num_nodes > 1
        logs = [run.logs / f"node-{node}" if several else run.logs for node in range(placement.num_nodes)]
        self.logs, self._heartbeats = logs[placement.node], HostHeartbeats(logs, placement.node)
        self._monitor = RankMonitor(placement, self.logs)
        self._stop_at: float | None = None
        self._remind_at = 0.0

    @property
    def world(self) -> World:
        """The first rank of this host, among all."""
        return World(self._placement.first_rank, self._placement.ranks)

    def stop(self) -> None:
        """Lets the ranks finish their step and write a checkpoint. Safe to call from a signal handler."""
        self._stop_at = time.monotonic()
        if self._monitor.all_have(EventKind.TRAINING):
            self._stop_at += STOP_GRACE_S
            self._monitor.send_signal(signal.SIGTERM)

    def train(self, config: str, access: Access, device: str, patience_s: float) -> Summary | None:
        """Trains to the end; None when it was stopped before the first step, or rank 0 is on another host.

        config: YAML; patience_s: see `RetryPolicy.give_up_after_s`. Raises the error of the rank that failed first.
        """
        self._prepare_logs(config)
        msrun = self._start(access, device, patience_s)
        try:
            self._watch(msrun)
        finally:
            started = {*children(msrun.pid), *self._monitor.pids()}
            msrun.kill()
            msrun.wait()
            kill_all(started)
            self._heartbeats.finish(succeeded=self._monitor.all_have(EventKind.FINISHED))
        return self._summary()

    def _prepare_logs(self, config: str) -> None:
        shutil.rmtree(self.logs, ignore_errors=True)
        try:
            self.logs.mkdir(parents=True)
            (self.logs / "config.yaml").write_text(config)
        except OSError as error:
            raise self._run.write_error(error) from error

    def _start(self, access: Access, device: str, patience_s: float) -> "subprocess.Popen[bytes]":
        command = LaunchCommand(
            placement=self._placement,
            run_dir=self._run.path,
            logs=self.logs,
            access=access,
            device=device,
            pages=self._pages,
            patience_s=patience_s,
        )
        with (self.logs / MSRUN_LOG).open("w") as log:
            return subprocess.Popen(
                command.arguments(),
                env=command.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _watch(self, msrun: "subprocess.Popen[bytes]") -> None:
        """Returns when all is done or stopped; raises for the first rank that failed."""
        finished_at: float | None = None
        self._remind_at = time.monotonic() + _REMIND_AFTER_S
        while True:
            has_ended = msrun.poll() is not None
            self._heartbeats.send()
            lost_host = self._heartbeats.lost_host()
            for rank, event in self._monitor.read():
                self._handle(rank, event)
            if self._monitor.all_have(EventKind.FINISHED):
                finished_at = finished_at or time.monotonic()
                # MindSpore takes five seconds to shut down; only other hosts may still need it.
                grace_s = _END_GRACE_S if self._placement.num_nodes > 1 else 0.0
                if has_ended or time.monotonic() >= finished_at + grace_s:
                    return
            elif self._stop_at is not None and time.monotonic() >= self._stop_at:
                return
            else:
                self._check(None if has_ended else msrun.pid, lost_host)
                self._remind()
            time.sleep(_POLL_S)

    def _remind(self) -> None:
        """Says now and then that ranks wait for those of other hosts."""
        place, now = self._placement, time.monotonic()
        if place.num_nodes > 1 and now >= self._remind_at and not self._monitor.all_have(EventKind.TRAINING):
            self._remind_at = now + _REMIND_EVERY_S
            where = f"{place.master_addr} port {place.master_port}"
            text = "waiting for all %d ranks of %d hosts to meet at %s; start the same command on each host"
            _LOG.warning(text, place.ranks, place.num_nodes, where)

    def _handle(self, rank: int, event: dict[str, Any]) -> None:
        kind, is_shown = event["kind"], rank == self._placement.first_rank
        if kind == EventKind.METRICS_ADDRESS:
            self._progress.show_metrics_address(event["rank"], event["address"])
        elif kind == EventKind.WARNING:
            _LOG.warning("rank %d: %s", rank, event["message"])
        elif kind == EventKind.TRAINING and is_shown:
            self._progress.begin(event["done"], event["num_steps"])
        elif kind == EventKind.STEP and is_shown:
            self._progress.step(event["done"], event["loss"])
        elif kind == EventKind.ROW and is_shown:
            self._progress.log(MetricsRow(**event["row"]))

    def _check(self, msrun: int | None, lost_host: int | None) -> None:
        """Raises for what has failed; msrun: its process id, None when it has ended."""
        self._monitor.check(msrun)
        if lost_host is not None:
            raise StreamingError(
                f"host {lost_host} of the rank table has lost a rank or its launcher; see its error message"
            )
        if msrun is None:
            raise StreamingError(f"msrun ended before the ranks had; see {self.logs / 'msrun.log'}")

    def _summary(self) -> Summary | None:
        for rank in self._monitor.ranks:
            if rank.has(EventKind.FINISHED) and self._monitor.rank_of(rank) == 0:
                return Summary(**rank.latest[EventKind.FINISHED]["summary"])
        return None
