"""A service that is killed and comes back costs its readers time and nothing else."""

import hashlib
import random
import signal
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from shared.client import BatchStream, connect
from tests.chaos.readers import TOY, read_epoch
from tests.support.outcomes import OpenOutcome, Outcome
from tests.support.services import ServiceProcess

REAL = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--stop-with-stdin"
_HANG_S = 60.0


def read_killing(service: ServiceProcess, outcome: Outcome, kills: Collection[int], *, epoch: int, ranks: int) -> None:
    """Ranks read an epoch in step with each other, like trainers; the service is killed and restarted now and then."""
    in_step = threading.Barrier(ranks)

    def after_step(step: int, _: BatchStream) -> None:
        if in_step.wait(_HANG_S) == 0 and step in kills:
            with outcome.one_try():
                service.end(signal.SIGKILL)
                service.start()

    def read(rank: int) -> None:
        try:
            with connect(service.target) as client:
                read_epoch(client, outcome, after_step, epoch=epoch, global_batch_size=64, rank=rank, ranks=ranks)
        except BaseException:
            in_step.abort()
            raise

    with ThreadPoolExecutor(ranks) as threads:
        list(threads.map(read, range(ranks)))


def test_killed_three_times_in_an_epoch_the_sequence_is_the_same(outcome: OpenOutcome) -> None:
    with outcome(promise="1, 3", what="service killed") as result, ServiceProcess(*TOY, "6400") as service:
        read_killing(service, result, random.Random(1).sample(range(60), 3), epoch=3, ranks=1)
    assert result.tries == 3


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_a_hundred_times_the_sequence_of_one_two_and_four_ranks_is_the_same(outcome: OpenOutcome) -> None:
    chance = random.Random(2)
    with outcome(promise="1, 2, 3", what="service killed (SIGKILL), 1, 2 and 4 ranks reading") as result:
        with ServiceProcess(*TOY, "25600") as service:
            for epoch, ranks in enumerate((1, 2, 4, 2)):
                read_killing(service, result, chance.sample(range(350), 25), epoch=epoch, ranks=ranks)
        assert result.tries == 100


def digest_of_epoch(service: ServiceProcess, outcome: Outcome, kills: Collection[int] = ()) -> str:
    """Of all samples of an epoch of the real service, in order."""
    digest = hashlib.sha256()
    with connect(service.target) as client, client.stream("train", epoch=3, global_batch_size=16) as stream:
        started = time.monotonic()
        for batch in stream:
            outcome.took(time.monotonic() - started)
            for array in (batch.indices, batch.labels, batch.images):
                digest.update(array.tobytes())
            if batch.step in kills:
                with outcome.one_try():
                    service.end(signal.SIGKILL)
                    service.start()
            started = time.monotonic()
    return digest.hexdigest()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_twenty_times_in_an_epoch_of_the_real_service_the_pixels_are_the_same(outcome: OpenOutcome) -> None:
    kills = random.Random(2).sample(range(360), 20)
    with (
        outcome(promise="1, 3", what="rendering service killed (SIGKILL)") as result,
        ServiceProcess(*REAL, "--count", "train=6400") as service,
    ):
        undisturbed = digest_of_epoch(service, Outcome(promise="", what=""))
        assert digest_of_epoch(service, result, kills) == undisturbed


@contextmanager
def replicas(num: int, count: int) -> Iterator[list[ServiceProcess]]:
    """Services of the toy data set, each in a process of its own."""
    services: list[ServiceProcess] = []
    try:
        services += [ServiceProcess(*TOY, str(count)) for _ in range(num)]
        yield services
    finally:
        for service in services:
            service.__exit__(None, None, None)


def restart_in_turn(services: list[ServiceProcess], rounds: int, stops: Outcome, result: Outcome) -> None:
    """Rolling restarts: SIGTERM, wait until it has drained and ended, start it again, and the next."""
    for _ in range(rounds):
        with result.one_try():
            for service in services:
                with stops.one_try(), stops.timed():
                    assert service.end(signal.SIGTERM) == 0
                service.start()


def read_until(done: threading.Event, target: str, rank: int, ranks: int, result: Outcome) -> None:
    """A rank reads one epoch after the other; every one is compared with the reading order."""
    with connect(target) as client:
        epoch = 0
        while not done.is_set():
            read_epoch(client, result, _without_haste, epoch=epoch, global_batch_size=96, rank=rank, ranks=ranks)
            epoch += 1


def _without_haste(*_: object) -> None:
    time.sleep(0.002)


def roll(num_replicas: int, ranks: int, rounds: int, stops: Outcome, result: Outcome) -> None:
    done = threading.Event()
    with replicas(num_replicas, 12_800) as services, ThreadPoolExecutor(ranks) as threads:
        target = ",".join(service.target for service in services)
        readers = [threads.submit(read_until, done, target, rank, ranks, result) for rank in range(ranks)]
        try:
            restart_in_turn(services, rounds, stops, result)
        finally:
            done.set()
        for reader in readers:
            reader.result()


def test_a_rolling_restart_of_two_replicas_is_seen_by_no_reader(outcome: OpenOutcome) -> None:
    stops = Outcome(promise="3", what="stops")
    with outcome(promise="3", what="rolling restart") as result:
        roll(2, 2, 1, stops, result)
    assert not stops.problems


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_rolling_restarts_are_seen_by_no_reader(outcome: OpenOutcome) -> None:
    with (
        outcome(promise="3", what="replica stopped in good order (SIGTERM)") as stops,
        outcome(promise="1, 2, 3", what="rolling restart of 2 or 3 replicas, 2 or 3 ranks reading") as result,
    ):
        roll(2, 3, 25, stops, result)
        roll(3, 2, 25, stops, result)
        assert (result.tries, stops.tries) == (50, 125)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_replicas_killed_in_turn_are_seen_by_no_reader(outcome: OpenOutcome) -> None:
    chance = random.Random(3)
    with (
        outcome(promise="1, 3", what="one of three replicas killed (SIGKILL)") as result,
        replicas(3, 25_600) as services,
    ):
        kills = dict.fromkeys(chance.sample(range(380), 30))

        def after_step(step: int, _: BatchStream) -> None:
            if step in kills:
                with result.one_try():
                    victim = chance.choice(services)
                    victim.end(signal.SIGKILL)
                    victim.start()

        with connect(",".join(service.target for service in services)) as client:
            read_epoch(client, result, after_step)
        assert result.tries == 30
