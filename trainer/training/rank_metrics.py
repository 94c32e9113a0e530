"""What a rank tells Prometheus while it trains.

What surprises: a rank that waits for data tells so while it waits. All ranks take a step together, so one that is
starved keeps every other waiting in the AllReduce; the one whose `captcha_trainer_wait_seconds_total` grows by a second
each second is the one to look at.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from shared import VERSION
from shared.errors import UsageError
from shared.system.listen_address import ListenAddress

if TYPE_CHECKING:
    from trainer.training.loop import Trainer

OPTION = "--metrics-listen"


class WaitClock:
    """How long a rank has waited for data. Written by the training thread, read by any, without a lock."""

    def __init__(self) -> None:
        # (seconds of the waits that are over, since when it waits or None): replaced as one.
        self._state: tuple[float, float | None] = 0.0, None

    def begin(self) -> float:
        """From now on it waits; when that is."""
        now = perf_counter()
        self._state = self._state[0], now
        return now

    def end(self) -> float:
        """The wait is over; how long it took."""
        before_s, since = self._state
        took_s = perf_counter() - since if since is not None else 0.0
        self._state = before_s + took_s, None
        return took_s

    def seconds(self, now: float) -> tuple[float, float]:
        """In all, and of the wait that lasts; until `now`, a `perf_counter()` read before this call."""
        before_s, since = self._state
        lasting_s = max(0.0, now - since) if since is not None else 0.0
        return before_s + lasting_s, lasting_s


class RankMetrics:
    """The figures of one rank as a Prometheus `Collector`; reads them off the trainer when asked."""

    def __init__(self, trainer: "Trainer") -> None:
        self._trainer = trainer

    def collect(self) -> Iterator[Metric]:
        """All of them, each with the rank as its label."""
        trainer, rank = self._trainer, self._trainer.ranks.rank
        wait_s, lasting_s = trainer.wait.seconds(perf_counter())
        facts = {"ranks": str(trainer.ranks.ranks), "fingerprint": trainer.client.dataset.fingerprint}
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
            share = trainer.row.rank_wait_shares[rank]
            yield _gauge(rank, "wait_share", "Time waited for data / time, over the last log interval.", share)


@contextmanager
def offered(trainer: "Trainer", listen: ListenAddress | None) -> Iterator[str]:
    """Answers Prometheus for the length of the block; yields where, or an empty string when nobody wants to know."""
    if listen is None:
        yield ""
        return
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(RankMetrics(trainer))
    listen.check()
    server, thread = start_http_server(listen.port, listen.host, registry)
    try:
        yield str(ListenAddress(listen.host, server.server_port))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listen_of_rank(first: ListenAddress | None, rank: int) -> ListenAddress | None:
    """Rank r listens r ports above rank 0, or at any port when that is 0; raises `UsageError` past the last port."""
    if first is None or first.port == 0:
        return first
    if first.port + rank > 65535:
        raise UsageError(f"{OPTION} {first} leaves no port for rank {rank}, which listens {rank} above it")
    return ListenAddress(first.host, first.port + rank, OPTION)


def _gauge(rank: int, name: str, help_text: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"captcha_trainer_{name}", help_text, labels=["rank"])
    family.add_metric([str(rank)], value)
    return family


def _counter(rank: int, name: str, help_text: str, value: float) -> Metric:
    family = CounterMetricFamily(f"captcha_trainer_{name}", help_text, labels=["rank"])
    family.add_metric([str(rank)], value)
    return family
