"""The command that goes on after a training, to be pasted into a shell as it stands."""

import argparse
import shlex
from collections.abc import Sequence

from shared.security.credentials import Access, security_of
from shared.system.command_line import python_name
from trainer.run_dir import Summary


def next_command(options: argparse.Namespace, argv: Sequence[str], summary: Summary) -> str:
    """Evaluates a finished run on the service it was trained on; continues a stopped one; empty without checkpoint."""
    if not summary.checkpoint:
        return ""
    if summary.steps < summary.num_steps and not summary.stopped_early:
        resume = [] if "--resume" in argv else ["--resume"]
        return shlex.join([python_name(), "-m", "trainer", *argv, *resume])
    command = [python_name(), "-m", "evaluator", "--ckpt", summary.checkpoint]
    if options.datagen is not None:
        command += Access(options.datagen, security_of(options, options.datagen)).arguments()
    if options.device != "cpu":
        command += ["--device", options.device]
    return shlex.join(command)
