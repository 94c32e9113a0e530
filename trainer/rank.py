"""The process of one rank, and of the scheduler where they meet; started by the launcher through msrun, never by hand.

The scheduler's process runs the same command up to `join_ranks`, so nothing may have an effect before that.
"""

import argparse
import os
import signal
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from shared.client import connect
from shared.command import run
from shared.errors import StreamingError
from shared.listen import Listen
from shared.security import add_security_options, security_of
from trainer.config import load_config
from trainer.metrics import OPTION, listen_of_rank, offered
from trainer.msrun import PARENT_OF_RANKS
from trainer.news import SCHEDULER, NewsWriter, news_file
from trainer.processes import die_with_parent
from trainer.run_dir import MetricsRow, RunDir


def main(argv: Sequence[str]) -> int:
    """Trains as one rank and tells the launcher what comes of it."""
    options = _parser().parse_args(argv)
    die_with_parent(int(os.environ[PARENT_OF_RANKS]))
    is_scheduler = os.environ["MS_ROLE"] == "MS_SCHED"
    local = 0 if is_scheduler else int(os.environ["DEVICE_ID"])
    # Only the launcher hears Ctrl-C; it passes it on as SIGTERM once there are steps to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with closing(NewsWriter(news_file(options.logs, SCHEDULER if is_scheduler else str(local)))) as news:
        try:
            _train(options, news, options.expect[local])
        except StreamingError as error:
            news.tell("failed", exit_code=error.exit_code, words=str(error))
            raise
        except Exception as error:
            news.tell("failed", exit_code=1, words=f"{type(error).__name__}: {_first_line(error)}")
            raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m trainer.rank", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--datagen", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument(OPTION, help="checked by the launcher")
    add_security_options(parser)
    parser.add_argument("--expect", type=int, nargs="+", required=True, help="the rank of each process of this host")
    return parser


def _train(options: argparse.Namespace, news: NewsWriter, expected: int) -> None:
    from shared.nn.runtime import set_device
    from trainer.loop import Trainer
    from trainer.ranks import Ranks, join_ranks

    first = options.metrics_listen
    listen = None if first is None else Listen.parse(first, insecure=True, option=OPTION)
    set_device(options.device)
    ranks = join_ranks(Ranks(expected, options.ranks))
    config = load_config({}, options.logs / "config.yaml", ())

    def report(row: MetricsRow, num_steps: int) -> None:
        news.tell("row", row=asdict(row), num_steps=num_steps)

    with connect(options.datagen, security=security_of(options, options.datagen)) as client:
        trainer = Trainer(config, client, RunDir(options.run_dir), options.device, report, ranks)
        signal.signal(signal.SIGTERM, lambda number, frame: trainer.stop())
        news.tell("begun", rank=ranks.rank, done=trainer.done, num_steps=trainer.num_steps)
        with offered(trainer, listen_of_rank(listen, ranks.rank)) as address:
            if address:
                news.tell("listening", rank=ranks.rank, address=address)
            summary = trainer.train()
        news.tell("ended", summary=asdict(summary))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")


if __name__ == "__main__":
    run(main, "trainer")
