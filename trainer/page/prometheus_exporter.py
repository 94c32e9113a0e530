"""Prometheus metrics and the live page of one rank while it trains.

Note: the wait for data counts while it lasts. All ranks take a step together, so one rank without data makes every
other rank wait in the AllReduce; its `captcha_trainer_wait_seconds_total` grows by a second each second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from shared import VERSION
from shared.page.page_server import PageServer
from shared.system.listen_address import ListenAddress
from trainer.page.app import training_app
from trainer.page.live_training import LiveTraining
from trainer.page.metrics_option import PageOptions
from trainer.training.loop import Trainer


class RankMetrics:
    """The metrics of one rank as a Prometheus `Collector`, which reads them from the trainer at each scrape."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def collect(self) -> Iterator[Metric]:
        """All of them, each with the rank as its label."""
        trainer, rank = self._trainer, self._trainer.world.rank
        wait_s, lasting_s = trainer.wait.seconds(perf_counter())
        facts = {"ranks": str(trainer.world.ranks), "fingerprint": trainer.client.dataset.fingerprint}
        info = InfoMetricFamily("captcha_trainer", "Which rank of how many trains on what.", labels=["rank"])
        info.add_metric([str(rank)], {"version": VERSION, **facts})
        yield info
        yield _gauge(rank, "step", "Optimizer steps done since the start of training.", trainer.done)
        yield _gauge(rank, "num_steps", "Optimizer steps asked for.", trainer.num_steps)
        yield _gauge(rank, "current_wait_seconds", "How long the wait for data has lasted by now.", lasting_s)
        yield _counter(rank, "wait_seconds", "Seconds waited for data, the wait that lasts included.", wait_s)
        yield _counter(rank, "reopened_streams", "Streams opened again after a fault.", trainer.reopened)
        if trainer.saved_step is not None:
            yield _gauge(rank, "checkpoint_step", "Step of the newest checkpoint.", trainer.saved_step)
        if trainer.row is not None:
            yield _gauge(rank, "loss", "Mean over the last log interval.", trainer.row.loss)
            yield _gauge(rank, "learning_rate", "Of the last step logged.", trainer.row.lr)
            rate = trainer.row.images_per_s
            yield _gauge(rank, "images_per_s", "Of all ranks together, over the last log interval.", rate)
        if (accuracy := trainer.validation.history.last_accuracy) is not None:
            yield _gauge(rank, "valid_accuracy", "Exact match at the last validation, 0 to 1.", accuracy)


@contextmanager
def exported_metrics(trainer: Trainer, pages: PageOptions, listen: ListenAddress) -> Iterator[str]:
    """Shows the live page and answers Prometheus during the block; yields the address."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(RankMetrics(trainer))
    live = LiveTraining(trainer)
    trainer.observers.append(live)
    server = PageServer(training_app(live, registry, pages), listen)
    with server:
        yield str(server.listen)


def _gauge(rank: int, name: str, help_text: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"captcha_trainer_{name}", help_text, labels=["rank"])
    family.add_metric([str(rank)], value)
    return family


def _counter(rank: int, name: str, help_text: str, value: float) -> Metric:
    family = CounterMetricFamily(f"captcha_trainer_{name}", help_text, labels=["rank"])
    family.add_metric([str(rank)], value)
    return family
