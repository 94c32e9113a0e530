"""A network that delays, throttles, slices, cuts, resets and swallows costs a reader time and nothing else."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.client import BatchStream, connect
from tests.chaos.proxy import Bandwidth, Blackhole, Cut, Fault, HalfClose, Latency, Proxy, Reset, Slicer
from tests.chaos.readers import TOY, read_epoch
from tests.support.outcomes import OpenOutcome, Outcome
from tests.support.services import ServiceProcess

NUM_RUNS = 20
NUM_STEPS = 150
LAST_MOMENT = 50
"By then not all of the epoch can be on its way: a hundred batches of 0.4 MB are to come."
NOTICED_S = 15.0

FAULTS: dict[str, Callable[[random.Random], Fault]] = {
    "latency": lambda chance: Latency(chance.uniform(0.01, 0.1), chance.uniform(0, 0.1)),
    "bandwidth": lambda chance: Bandwidth(chance.uniform(2e5, 2e6)),
    "slicer": lambda chance: Slicer(chance.randrange(50, 500), 0.0002),
    "cut": lambda _: Cut(),
    "reset": lambda _: Reset(),
    "half-close": lambda chance: HalfClose(toward_reader=chance.random() < 0.5),
    "blackhole": lambda _: Blackhole(),
}
LASTING = Latency, Bandwidth, Slicer


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    with ServiceProcess(*TOY, str(NUM_STEPS * 64)) as service:
        yield service


class Trouble:
    """Brings a fault at one step; lasting ones for half a second, the others until the reader has noticed."""

    def __init__(self, proxy: Proxy, fault: Fault, at_step: int) -> None:
        self._proxy, self._fault, self._at_step = proxy, fault, at_step
        self.lasting = isinstance(fault, LASTING)
        self.noticed_s: float | None = None

    def __call__(self, step: int, stream: BatchStream) -> None:
        if step == self._at_step:
            self._proxy.fault = self._fault
            threading.Thread(target=self._heal, args=(stream, time.monotonic()), daemon=True).start()

    def _heal(self, stream: BatchStream, began: float) -> None:
        while time.monotonic() < began + (0.5 if self.lasting else 60) and (self.lasting or not stream.reopened):
            time.sleep(0.01)
        if stream.reopened:
            self.noticed_s = time.monotonic() - began
        self._proxy.fault = None


def one_run(name: str, number: int, service: ServiceProcess, outcome: Outcome) -> None:
    chance = random.Random(f"{name} {number}")
    with outcome.one_try(), Proxy(service.target) as proxy, connect(proxy.target) as client:
        trouble = Trouble(proxy, FAULTS[name](chance), chance.randrange(LAST_MOMENT))
        read_epoch(client, outcome, trouble, epoch=number)
        if not trouble.lasting:
            assert trouble.noticed_s is not None, "nobody noticed"
            assert trouble.noticed_s < NOTICED_S, f"noticed after {trouble.noticed_s} s"


def runs(name: str, num_runs: int, service: ServiceProcess, outcome: Outcome) -> None:
    # A swallowed connection is noticed by waiting: many can wait at once.
    with ThreadPoolExecutor(10 if name in ("blackhole", "half-close") else 1) as threads:
        list(threads.map(lambda number: one_run(name, number, service, outcome), range(num_runs)))


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("blackhole", "half-close")])
def test_a_reader_outlives_a_fault_of_the_network(name: str, service: ServiceProcess, outcome: OpenOutcome) -> None:
    with outcome(promise="3", what=f"network: {name}") as result:
        runs(name, 1, service, result)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FAULTS)
def test_a_reader_outlives_twenty_faults_of_the_network(
    name: str, service: ServiceProcess, outcome: OpenOutcome
) -> None:
    with outcome(promise="3", what=f"network: {name}") as result:
        runs(name, NUM_RUNS, service, result)
