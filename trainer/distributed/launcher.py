"""Starts the ranks of this host through msrun, watches them, and leaves nothing behind.

What surprises: nothing here waits for MindSpore to notice that a rank has died, which takes it half a minute. The
launcher knows every process by its own news, ends all as soon as one has failed, and the kernel ends all when the
launcher itself is killed.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.errors import StreamingError, UsageError
from shared.security.credentials import Access
from shared.system.listen_address import ListenAddress
from trainer.distributed.heartbeat import Peers
from trainer.distributed.placement import Placement
from trainer.distributed.processes import children, is_alive, kill_all
from trainer.distributed.rank_events import SCHEDULER, NewsReader, news_file
from trainer.run_dir import MetricsRow, RunDir, Summary
from trainer.training.rank_metrics import OPTION

_LOG = logging.getLogger(__name__)
STOP_GRACE_S = 8.0
"For the step under way and the checkpoint, after Ctrl-C or SIGTERM."
_END_GRACE_S = 20.0
_BIRTH_GRACE_S = 3.0
"msrun makes the log of a process a moment before the process."
_POLL_S = 0.1
# By the documents; not run on a device.
_VISIBLE = {"ascend": "ASCEND_RT_VISIBLE_DEVICES", "gpu": "CUDA_VISIBLE_DEVICES"}


class Launcher:
    """One start of all ranks of this host.

    begun: called with (steps done, steps asked for) when training begins; report: with every row of the lowest rank;
    tell_metrics: with every rank and where it answers Prometheus.
    """

    def __init__(
        self,
        placement: Placement,
        run: RunDir,
        begun: Callable[[int, int], None],
        report: Callable[[MetricsRow, int], None],
        metrics_listen: ListenAddress | None,
        tell_metrics: Callable[[int, str], None],
    ) -> None:
        self._placement, self._run, self._begun, self._report = placement, run, begun, report
        self._metrics_listen, self._tell_metrics = metrics_listen, tell_metrics
        several = placement.num_nodes > 1
        logs = [run.logs / f"node-{node}" if several else run.logs for node in range(placement.num_nodes)]
        self.logs, self._peers = logs[placement.node], Peers(logs, placement.node)
        names = [str(number) for number in range(len(placement.devices))]
        self._ranks = [NewsReader(name, news_file(self.logs, name)) for name in names]
        self._scheduler = NewsReader(SCHEDULER, news_file(self.logs, SCHEDULER))
        self._processes = [*self._ranks, self._scheduler]
        self._stop_at: float | None = None
        self._stillborn_since: float | None = None

    def stop(self) -> None:
        """Lets the ranks finish their step and write a checkpoint. Safe to call from a signal handler."""
        if all("begun" in rank.latest for rank in self._ranks):
            self._stop_at = time.monotonic() + STOP_GRACE_S
            for rank in self._ranks:
                if rank.pid is not None and is_alive(rank.pid):
                    os.kill(rank.pid, signal.SIGTERM)
        else:
            self._stop_at = time.monotonic()

    def train(self, config: str, access: Access, device: str) -> Summary | None:
        """Trains to the end; None when it was stopped before the first step, or rank 0 is another host's.

        config: YAML. Raises the error of the rank that failed first, with its words.
        """
        self._prepare_logs(config)
        with (self.logs / "msrun.log").open("w") as log:
            msrun = subprocess.Popen(
                self._command(access, device),
                env=self._environment(device),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._watch(msrun)
        finally:
            started = {*children(msrun.pid), *(process.pid for process in self._processes if process.pid is not None)}
            msrun.kill()
            msrun.wait()
            kill_all(started)
            self._peers.leave(well=all("ended" in rank.latest for rank in self._ranks))
        return self._summary()

    def _prepare_logs(self, config: str) -> None:
        shutil.rmtree(self.logs, ignore_errors=True)
        try:
            self.logs.mkdir(parents=True)
            (self.logs / "config.yaml").write_text(config)
        except OSError as error:
            raise self._run.unwritable(error) from error

    def _command(self, access: Access, device: str) -> list[str]:
        place = self._placement
        command = [sys.executable, "-m", "trainer.distributed.msrun", str(os.getpid())]
        command += [f"--worker_num={place.ranks}", f"--local_worker_num={len(place.devices)}"]
        command += [f"--master_addr={place.master_addr}", f"--master_port={place.master_port}"]
        command += [f"--log_dir={self.logs}", "--join=True"]
        # No such worker: else msrun starts a `tail -f` of each log, which outlives it.
        command.append(f"--tail_worker_log={place.ranks}")
        if place.table is not None:
            file = self.logs / "rank_table.json"
            file.write_text(json.dumps(place.table, indent=2) + "\n")
            command.append(f"--rank_table_file={file.resolve()}")
        command += [
            _python().name,
            "-m",
            "trainer.distributed.rank_process",
            str(self._run.path),
            "--logs",
            str(self.logs),
        ]
        command += [*access.arguments(), "--device", device, "--ranks", str(place.ranks)]
        if self._metrics_listen is not None:
            command += [OPTION, str(self._metrics_listen)]
        return [*command, "--expect", *(str(device.rank) for device in place.devices)]

    def _environment(self, device: str) -> dict[str, str]:
        place = self._placement
        # msrun takes `python` from PATH; what another launcher left behind must not reach it.
        inherited = {key: value for key, value in os.environ.items() if key not in ("RANK_TABLE_FILE", "RANK_ID")}
        changed = {"PATH": f"{_python().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        changed["MS_DEV_SAVE_GRAPHS_PATH"] = str(self.logs)  # Else a failed compilation litters the working directory.
        if place.num_nodes > 1:
            changed["MS_WORKER_IP"] = place.address
        if device in _VISIBLE:
            changed[_VISIBLE[device]] = ",".join(str(device.device_id) for device in place.devices)
        return inherited | changed

    def _watch(self, msrun: subprocess.Popen[bytes]) -> None:
        """Returns when all is done or stopped; raises for the first rank that failed."""
        ended_at: float | None = None
        while True:
            has_ended, lost_host = msrun.poll() is not None, self._peers.lost()
            self._pass_on_news()
            if all("ended" in rank.latest for rank in self._ranks):
                ended_at = ended_at or time.monotonic()
                # MindSpore takes five seconds to say goodbye; only other hosts may still need it.
                grace_s = _END_GRACE_S if self._placement.num_nodes > 1 else 0.0
                if has_ended or time.monotonic() >= ended_at + grace_s:
                    return
            elif self._stop_at is not None and time.monotonic() >= self._stop_at:
                return
            else:
                self._check(None if has_ended else msrun.pid, lost_host)
            time.sleep(_POLL_S)

    def _pass_on_news(self) -> None:
        self._scheduler.read()
        for rank in self._ranks:
            for item in rank.read():
                if item["kind"] == "listening":
                    self._tell_metrics(item["rank"], item["address"])
                elif item["kind"] == "warned":
                    _LOG.warning("%s: %s", self._called(rank)[0], item["words"])
                elif self._placement.devices[int(rank.name)].rank == self._placement.first_rank:
                    self._show(item)

    def _show(self, item: dict[str, Any]) -> None:
        if item["kind"] == "begun":
            self._begun(item["done"], item["num_steps"])
        elif item["kind"] == "row":
            self._report(MetricsRow(**item["row"]), item["num_steps"])

    def _check(self, msrun: int | None, lost_host: int | None) -> None:
        """Raises for what has failed; msrun: its process, None when it has ended.

        Whoever gave a reason of ours comes first: msrun kills the others a moment later, and MindSpore's own errors
        are mostly about a rank that is gone.
        """
        failed = [process for process in self._processes if "failed" in process.latest]
        failed.sort(key=lambda process: float(process.latest["failed"]["time"]))
        with_reason = [process for process in failed if process.latest["failed"]["is_ours"]]
        if found := with_reason or self._died_silently(msrun) or failed:
            raise self._error_of(found[0])
        if lost_host is not None:
            raise StreamingError(
                f"host {lost_host} of the rank table has lost a rank or its launcher; see its own words"
            )
        if msrun is None:
            raise StreamingError(f"msrun ended before the ranks had; see {self.logs / 'msrun.log'}")

    def _error_of(self, process: NewsReader) -> StreamingError:
        who, log = self._called(process)
        if "failed" not in process.latest:
            return StreamingError(f"{who} died without a word, killed or out of memory; its log is {log}")
        words = process.latest["failed"]
        return (UsageError if words["exit_code"] == 2 else StreamingError)(f"{who}: {words['words']}")

    def _died_silently(self, msrun: int | None) -> list[NewsReader]:
        """The processes that are gone and have not said why, the likely cause first."""
        gone = [process for process in self._processes if process.pid is not None and not is_alive(process.pid)]
        for process in gone:
            process.read()  # Its last words may have come just now.
        gone = [process for process in gone if not {"ended", "failed"} & process.latest.keys()]
        stillborn = [] if msrun is None else self._stillborn(msrun)
        self._stillborn_since = (self._stillborn_since or time.monotonic()) if stillborn else None
        is_sure = self._stillborn_since and time.monotonic() > self._stillborn_since + _BIRTH_GRACE_S
        return stillborn + gone if gone or is_sure else []

    def _stillborn(self, msrun: int) -> list[NewsReader]:
        """The processes among which some died before their first word: msrun has made more logs than it has children.

        msrun itself may wait for minutes in such a case.
        """
        unborn = [process for process in self._processes if process.pid is None and self._called(process)[1].exists()]
        born = sum(process.pid is not None and is_alive(process.pid) for process in self._processes)
        return unborn if unborn and born + len(unborn) > sum(map(is_alive, children(msrun))) else []

    def _called(self, reader: NewsReader) -> tuple[str, Path]:
        if reader is self._scheduler:
            return "the scheduler", self.logs / "scheduler.log"
        rank = self._placement.devices[int(reader.name)].rank
        return f"rank {rank}", self.logs / f"worker_{reader.name}.log"

    def _summary(self) -> Summary | None:
        for rank in self._ranks:
            if "ended" in rank.latest and self._placement.devices[int(rank.name)].rank == 0:
                return Summary(**rank.latest["ended"]["summary"])
        return None


def _python() -> Path:
    """The interpreter that msrun shall find: ours, by one of the two names that it takes for one."""
    folder = Path(sys.executable).parent
    return folder / ("python" if (folder / "python").exists() else "python3")
