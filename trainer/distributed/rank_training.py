"""What the process of a rank does once it is tied to its parent: joins the other ranks, trains, writes events."""

import argparse
import signal
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict

from shared.client import RetryPolicy, connect
from shared.recogniser.device import set_device
from shared.security.credentials import security_of
from shared.system.signals import stop_on_signal
from trainer.config import load_config
from trainer.distributed.collectives import join_ranks
from trainer.distributed.rank_events import EventKind, RankEventWriter
from trainer.distributed.world import World
from trainer.page.metrics_option import rank_page_options
from trainer.page.rank_page import shown_page
from trainer.progress.observer import RateLimit
from trainer.progress.tensorboard import TensorboardWriter, tensorboard_events
from trainer.run_dir import MetricsRow, RunDir
from trainer.training.loop import Trainer


def train(options: argparse.Namespace, events: RankEventWriter, expected: int) -> None:
    """Trains to the end, as the rank `expected`; in the scheduler's process it does not return from `join_ranks`."""
    set_device(options.device)
    world = join_ranks(World(expected, options.ranks))
    config, run = load_config({}, options.logs / "config.yaml", ()), RunDir(options.run_dir)

    # Retries the first answer too: the launcher has just had one from the service.
    retry_policy = RetryPolicy(connect_timeout_s=options.patience, give_up_after_s=options.patience)
    with connect(options.datagen, retry_policy, security_of(options, options.datagen)) as client:
        trainer = Trainer(config, client, run, options.device, _observers(options, world, events), world)
        trainer.restore()
        with stop_on_signal(trainer.stop, [signal.SIGTERM]):
            events.write(EventKind.TRAINING, rank=world.rank, done=trainer.done, num_steps=trainer.last_step)
            pages = rank_page_options(options, world.rank)
            with shown_page(trainer, pages) as address, _tensorboard(trainer) as tensorboard:
                trainer.observers += tensorboard
                if address:
                    events.write(EventKind.METRICS_ADDRESS, rank=world.rank, address=address)
                summary = trainer.train()
        events.write(EventKind.FINISHED, summary=asdict(summary))


class _EventObserver:
    """Writes what the launcher shows as progress."""

    def __init__(self, events: RankEventWriter) -> None:
        self._events, self._limit = events, RateLimit(1.0)

    def step(self, done: int, loss: float) -> None:
        """At most once a second."""
        if self._limit.allows():
            self._events.write(EventKind.STEP, done=done, loss=loss)

    def log(self, row: MetricsRow) -> None:
        """Each one."""
        self._events.write(EventKind.ROW, row=asdict(row))


def _observers(options: argparse.Namespace, world: World, events: RankEventWriter) -> list[_EventObserver]:
    """The launcher of each host shows the lowest rank of that host."""
    return [_EventObserver(events)] if world.rank == min(options.expect) else []


def _tensorboard(trainer: Trainer) -> AbstractContextManager[list[TensorboardWriter]]:
    """Rank 0 writes for all."""
    if trainer.world.rank:
        return nullcontext([])
    return tensorboard_events(trainer.config, trainer.run, trainer.done)
