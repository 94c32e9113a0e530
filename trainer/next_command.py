"""The command that goes on after a training, to be pasted into a shell as it stands."""

import argparse
import shlex

from shared.security.credentials import Access, security_of
from shared.system.command_line import python_name
from trainer.run_dir import Summary

_PLACES = "ranks", "rank_table", "node_rank", "master_addr", "master_port"
_PAGES = "metrics_listen", "datagen_page"


def next_command(options: argparse.Namespace, summary: Summary) -> str:
    """Evaluates a finished run on the service it was trained on; continues a stopped one; empty without checkpoint.

    What a run is, its directory says; only where it runs and what it reads from is said again.
    """
    if not summary.checkpoint:
        return ""
    is_done = summary.stopped_early or summary.steps >= summary.num_steps
    command = ["evaluator", "--ckpt", summary.checkpoint]
    if not is_done:
        command = ["trainer", "--run-dir", str(options.run_dir), "--resume", *_given(options, _PLACES + _PAGES)]
        command += ["--metrics-listen-insecure"] if options.metrics_listen_insecure else []
    if options.device != "cpu":
        command += ["--device", options.device]
    if options.datagen is not None:
        command += Access(options.datagen, security_of(options, options.datagen)).arguments()
    return shlex.join([python_name(), "-m", *command])


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    """Those that were given, and `--ranks` where there is more than one."""
    values = {name: getattr(options, name) for name in names}
    if options.ranks == 1:
        del values["ranks"]
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items() if value is not None]
    return [word for pair in pairs for word in pair]
