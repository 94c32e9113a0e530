"""The process of one rank, and of the scheduler where they meet; started by the launcher through msrun, never by hand.

Note: the scheduler's process runs the same command up to `join_ranks`, so nothing may have an effect before that. And
MindSpore, which takes seconds to import, is imported after this process is tied to its parent and has written its
first event.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from shared.errors import StreamingError
from shared.security.credentials import add_security_options
from shared.system.linux import die_with_parent
from shared.system.standard_streams import protect_stderr
from trainer.distributed.msrun import PARENT_OF_RANKS
from trainer.distributed.rank_events import SCHEDULER, EventKind, RankEventWriter, events_file
from trainer.page.metrics_option import add_rank_page_options


def main(argv: Sequence[str]) -> int:
    """Trains as one rank and writes events for the launcher."""
    die_with_parent(int(os.environ[PARENT_OF_RANKS]))
    options = _parser().parse_args(argv)
    is_scheduler = os.environ["MS_ROLE"] == "MS_SCHED"
    local = 0 if is_scheduler else int(os.environ["DEVICE_ID"])
    # Only the launcher handles Ctrl-C; it sends SIGTERM on once there are steps to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with closing(RankEventWriter(events_file(options.logs, SCHEDULER if is_scheduler else str(local)))) as events:
        logging.getLogger().addHandler(_WarningEvents(events))
        try:
            from trainer.distributed.rank_training import train

            train(options, events, options.expect[local])
        except Exception as error:
            _write_failure(events, error)
            raise
    return 0


class _WarningEvents(logging.Handler):
    """Warnings, such as a service that does not answer for a while; a single rank prints them on stderr."""

    def __init__(self, events: RankEventWriter) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        self._events.write(EventKind.WARNING, message=record.getMessage())


def _write_failure(events: RankEventWriter, error: Exception) -> None:
    if isinstance(error, StreamingError):
        events.write(EventKind.FAILED, exit_code=error.exit_code, message=str(error), is_expected=True)
    else:
        message = f"{type(error).__name__}: {_first_line(error)}"
        events.write(EventKind.FAILED, exit_code=1, message=message, is_expected=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m trainer.distributed.rank_process", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--datagen", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--ranks", type=int, required=True)
    add_rank_page_options(parser)
    parser.add_argument("--patience", type=float, required=True)
    add_security_options(parser)
    parser.add_argument("--expect", type=int, nargs="+", required=True, help="the rank of each process of this host")
    return parser


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")


if __name__ == "__main__":
    protect_stderr()
    sys.exit(main(sys.argv[1:]))
