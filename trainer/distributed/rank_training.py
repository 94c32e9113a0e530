"""What the process of a rank does once it is tied to its parent: meets the other ranks, trains, tells the launcher."""

import argparse
import signal
from dataclasses import asdict

from shared.client import RetryPolicy, connect
from shared.recogniser.device import set_device
from shared.security.credentials import security_of
from shared.system.listen_address import ListenAddress
from trainer.config import load_config
from trainer.distributed.collectives import Ranks, join_ranks
from trainer.distributed.rank_events import NewsWriter
from trainer.run_dir import MetricsRow, RunDir
from trainer.training.loop import Trainer
from trainer.training.rank_metrics import OPTION, listen_of_rank, offered

_RETRY_POLICY = RetryPolicy(connect_timeout_s=RetryPolicy().give_up_after_s)
"Already with the first answer: the launcher has just spoken to the service."


def train(options: argparse.Namespace, news: NewsWriter, expected: int) -> None:
    """Trains to the end, as the rank `expected`; in the scheduler's process it does not come back from meeting."""
    set_device(options.device)
    ranks = join_ranks(Ranks(expected, options.ranks))
    config, run = load_config({}, options.logs / "config.yaml", ()), RunDir(options.run_dir)

    def report(row: MetricsRow, num_steps: int) -> None:
        news.tell("row", row=asdict(row), num_steps=num_steps)

    with connect(options.datagen, _RETRY_POLICY, security_of(options, options.datagen)) as client:
        trainer = Trainer(config, client, run, options.device, report, ranks)
        if ranks.rank == 0:
            run.begin(config)  # Not before: a run that is refused leaves nothing to resume.
        signal.signal(signal.SIGTERM, lambda number, frame: trainer.stop())
        news.tell("begun", rank=ranks.rank, done=trainer.done, num_steps=trainer.num_steps)
        with offered(trainer, _listen(options, ranks.rank)) as address:
            if address:
                news.tell("listening", rank=ranks.rank, address=address)
            summary = trainer.train()
        news.tell("ended", summary=asdict(summary))


def _listen(options: argparse.Namespace, rank: int) -> ListenAddress | None:
    """Where this rank offers its metrics."""
    first = options.metrics_listen
    return listen_of_rank(None if first is None else ListenAddress.parse(first, insecure=True, option=OPTION), rank)
