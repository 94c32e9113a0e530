"""The command line and the environment with which msrun, MindSpore's launcher, starts the ranks of this host."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from shared.security.credentials import Access
from trainer.distributed.placement import Placement
from trainer.page.metrics_option import PageOptions

# By the documents; not run on a device.
_VISIBLE_DEVICES = {"ascend": "ASCEND_RT_VISIBLE_DEVICES", "gpu": "CUDA_VISIBLE_DEVICES"}


@dataclass(frozen=True, kw_only=True)
class LaunchCommand:
    """How to start msrun, and through it `rank_process` for each rank and for the scheduler."""

    placement: Placement
    run_dir: Path
    logs: Path
    access: Access
    device: str
    pages: PageOptions
    patience_s: float
    "See `RetryPolicy.give_up_after_s`."

    def arguments(self) -> list[str]:
        """Writes the rank table, if there is one, beside the logs; returns the command."""
        place = self.placement
        command = [sys.executable, "-m", "trainer.distributed.msrun", str(os.getpid())]
        command += [f"--worker_num={place.ranks}", f"--local_worker_num={len(place.devices)}"]
        command += [f"--master_addr={place.master_addr}", f"--master_port={place.master_port}"]
        command += [f"--log_dir={self.logs}", "--join=True"]
        # No such worker: else msrun starts a `tail -f` of each log, which outlives it.
        command.append(f"--tail_worker_log={place.ranks}")
        if place.number is not None:
            command.append(f"--node_rank={place.number}")
        if place.table is not None:
            file = self.logs / "rank_table.json"
            file.write_text(json.dumps(place.table, indent=2) + "\n")
            command.append(f"--rank_table_file={file.resolve()}")
        return [*command, _python().name, "-m", "trainer.distributed.rank_process", *self._rank_arguments()]

    def environment(self) -> dict[str, str]:
        """This process's own, with what msrun and the ranks need."""
        place = self.placement
        # msrun takes `python` from PATH; the variables of another launcher must not reach it.
        inherited = {key: value for key, value in os.environ.items() if key not in ("RANK_TABLE_FILE", "RANK_ID")}
        changed = {"PATH": f"{_python().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        # Else a failed compilation leaves files in the working directory.
        changed["MS_DEV_SAVE_GRAPHS_PATH"] = str(self.logs)
        if place.num_nodes > 1:
            changed["MS_WORKER_IP"] = place.address
        if self.device in _VISIBLE_DEVICES:
            changed[_VISIBLE_DEVICES[self.device]] = ",".join(str(device.device_id) for device in place.devices)
        return inherited | changed

    def _rank_arguments(self) -> list[str]:
        arguments = [str(self.run_dir), "--logs", str(self.logs), *self.access.arguments()]
        arguments += ["--device", self.device, "--ranks", str(self.placement.ranks)]
        arguments += ["--patience", str(self.patience_s), *self.pages.arguments()]
        return [*arguments, "--expect", *(str(device.rank) for device in self.placement.devices)]


def _python() -> Path:
    """The interpreter for msrun: ours, under one of the two names that msrun accepts."""
    folder = Path(sys.executable).parent
    return folder / ("python" if (folder / "python").exists() else "python3")
