"""What the process of a rank does once it is tied to its parent: joins the other ranks, trains, writes events."""

import argparse
import signal
from dataclasses import asdict

from shared.client import RetryPolicy, connect
from shared.recogniser.device import set_device
from shared.security.credentials import security_of
from shared.system.listen_address import ListenAddress
from trainer.config import load_config
from trainer.distributed.collectives import join_ranks
from trainer.distributed.rank_events import EventKind, RankEventWriter
from trainer.distributed.world import World
from trainer.metrics_option import METRICS_OPTION, metrics_address_of_rank
from trainer.run_dir import MetricsRow, RunDir
from trainer.training.loop import Trainer
from trainer.training.prometheus_exporter import exported_metrics


def train(options: argparse.Namespace, events: RankEventWriter, expected: int) -> None:
    """Trains to the end, as the rank `expected`; in the scheduler's process it does not return from `join_ranks`."""
    set_device(options.device)
    world = join_ranks(World(expected, options.ranks))
    config, run = load_config({}, options.logs / "config.yaml", ()), RunDir(options.run_dir)

    def report(row: MetricsRow, num_steps: int) -> None:
        events.write(EventKind.ROW, row=asdict(row), num_steps=num_steps)

    # Retries the first answer too: the launcher has just had one from the service.
    retry_policy = RetryPolicy(connect_timeout_s=options.patience, give_up_after_s=options.patience)
    with connect(options.datagen, retry_policy, security_of(options, options.datagen)) as client:
        trainer = Trainer(config, client, run, options.device, report, world)
        trainer.restore()
        signal.signal(signal.SIGTERM, lambda number, frame: trainer.stop())
        events.write(EventKind.TRAINING, rank=world.rank, done=trainer.done, num_steps=trainer.num_steps)
        with exported_metrics(trainer, _metrics_address(options, world.rank)) as address:
            if address:
                events.write(EventKind.METRICS_ADDRESS, rank=world.rank, address=address)
            summary = trainer.train()
        events.write(EventKind.FINISHED, summary=asdict(summary))


def _metrics_address(options: argparse.Namespace, rank: int) -> ListenAddress | None:
    """Where this rank answers Prometheus."""
    if options.metrics_listen is None:
        return None
    first = ListenAddress.parse(options.metrics_listen, insecure=True, option=METRICS_OPTION)
    return metrics_address_of_rank(first, rank)
