"""The process of one rank, and of the scheduler where they meet; started by the launcher through msrun, never by hand.

What surprises: the scheduler's process runs the same command up to `join_ranks`, so nothing may have an effect before
that. And what takes seconds to import waits until this process has tied itself to its parent and said that it lives.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from trainer.distributed.msrun import PARENT_OF_RANKS
from trainer.distributed.processes import die_with_parent
from trainer.distributed.rank_events import SCHEDULER, NewsWriter, news_file


def main(argv: Sequence[str]) -> int:
    """Trains as one rank and tells the launcher what comes of it."""
    die_with_parent(int(os.environ[PARENT_OF_RANKS]))
    options = _parser().parse_args(argv)
    is_scheduler = os.environ["MS_ROLE"] == "MS_SCHED"
    local = 0 if is_scheduler else int(os.environ["DEVICE_ID"])
    # Only the launcher hears Ctrl-C; it passes it on as SIGTERM once there are steps to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with closing(NewsWriter(news_file(options.logs, SCHEDULER if is_scheduler else str(local)))) as news:
        logging.getLogger().addHandler(_WarningsAsNews(news))
        try:
            from trainer.distributed.rank_training import train

            train(options, news, options.expect[local])
        except Exception as error:
            _tell_failure(news, error)
            raise
    return 0


class _WarningsAsNews(logging.Handler):
    """A service that stays away for a while, and what else a single rank would say on stderr."""

    def __init__(self, news: NewsWriter) -> None:
        super().__init__(logging.WARNING)
        self._news = news

    def emit(self, record: logging.LogRecord) -> None:
        self._news.tell("warned", words=record.getMessage())


def _tell_failure(news: NewsWriter, error: Exception) -> None:
    from shared.errors import StreamingError

    if isinstance(error, StreamingError):
        news.tell("failed", exit_code=error.exit_code, words=str(error), is_ours=True)
    else:
        news.tell("failed", exit_code=1, words=f"{type(error).__name__}: {_first_line(error)}", is_ours=False)


def _parser() -> argparse.ArgumentParser:
    from shared.security.credentials import add_security_options
    from trainer.training.rank_metrics import OPTION

    parser = argparse.ArgumentParser("python -m trainer.distributed.rank_process", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--datagen", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument(OPTION, help="checked by the launcher")
    add_security_options(parser)
    parser.add_argument("--expect", type=int, nargs="+", required=True, help="the rank of each process of this host")
    return parser


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
