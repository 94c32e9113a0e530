"""A service that stops in mid-sentence (SIGSTOP) is noticed within seconds and named, and reading goes on."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.client import BatchStream, connect
from shared.errors import Unavailable
from tests.chaos.readers import TOY, read_epoch
from tests.support.outcomes import OpenOutcome, Outcome
from tests.support.services import ServiceProcess

NOTICED_S = 15.0
NUM_STEPS = 300
FREEZE_AT = 100
AT_ONCE = 5


class Freeze:
    """Freezes a service at one step; thaws it when the reader has noticed, so that a single one can go on."""

    def __init__(self, service: ServiceProcess, noticed: Outcome) -> None:
        self._service, self._noticed = service, noticed
        self._thaw: threading.Thread | None = None

    def __call__(self, step: int, stream: BatchStream) -> None:
        if step == FREEZE_AT:
            self._service.send(signal.SIGSTOP)
            self._thaw = threading.Thread(target=self._watch, args=(stream, time.monotonic()))
            self._thaw.start()
        elif step == NUM_STEPS - 1 and self._thaw:
            self._thaw.join()

    def _watch(self, stream: BatchStream, frozen: float) -> None:
        with self._noticed.one_try():
            while not stream.reopened:
                assert time.monotonic() < frozen + 60, "nobody noticed"
                time.sleep(0.01)
            self._noticed.took(time.monotonic() - frozen)
        self._service.send(signal.SIGCONT)


def freeze_once(noticed: Outcome, result: Outcome, *, with_replica: bool) -> None:
    command = *TOY, str(NUM_STEPS * 64)
    with result.one_try(), ServiceProcess(*command) as service, ServiceProcess(*command) as replica:
        target = f"{service.target},{replica.target}" if with_replica else service.target
        with connect(target) as client:
            read_epoch(client, result, Freeze(service, noticed))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("with_replica", [False, True])
def test_a_frozen_service_is_noticed_in_time(
    with_replica: bool, outcome: OpenOutcome, caplog: pytest.LogCaptureFixture
) -> None:
    where = "a replica stands by" if with_replica else "alone"
    with (
        outcome(promise="8", what=f"frozen service (SIGSTOP) noticed, {where}") as noticed,
        outcome(promise="1, 3", what=f"service frozen and thawed, {where}") as result,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        tries = [threads.submit(freeze_once, noticed, result, with_replica=with_replica) for _ in range(10)]
        for one in tries:
            one.result()
        assert noticed.slowest_s is not None
        assert noticed.slowest_s < NOTICED_S
    assert sum("will retry at" in message for message in caplog.messages) >= 10


@pytest.mark.long
def test_a_frozen_service_is_no_answer_to_a_new_reader(outcome: OpenOutcome) -> None:
    with outcome(promise="8, 9", what="connecting to a frozen service is refused by name") as result:
        with ServiceProcess(*TOY, "6400") as service:
            service.send(signal.SIGSTOP)
            with result.one_try(), result.timed(), pytest.raises(Unavailable, match=service.target):
                connect(service.target)
        assert result.slowest_s is not None
        assert result.slowest_s < NOTICED_S
