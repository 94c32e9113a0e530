"""A service under far more calls than it was made for: it stays healthy, and its memory within one bound."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from datagen_server.cli import main
from shared.client import DatasetClient, connect
from shared.client.channel import OPTIONS
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.contract import SERVICE
from shared.rpc_errors import is_transient
from tests.support.memory import resident_mb
from tests.support.outcomes import OpenOutcome
from tests.support.services import ServiceProcess

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
SERVE = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--stop-with-stdin"
MEMORY_MB = 1024
TOY = "tests.support.toy_server", "PORT", "--train", "1000000", "--width", "160", "--height", "64"
NUM_STREAMS = 126
PROBE_TIMEOUT_MS = 1000
"How long the readiness probe in `.kubernetes` waits for an answer: what Kubernetes waits where nothing is said."


def channel_to(target: str, number: int) -> grpc.Channel:
    """With a connection of its own, as callers on different machines have."""
    return grpc.insecure_channel(target, [*OPTIONS, ("caller", number)])


@contextmanager
def callers(target: str, number: int, call: Callable[[grpc.Channel], None]) -> Iterator[None]:
    """`number` threads that call again and again until the end of the block, in a process of their own."""
    process = get_context("spawn").Process(target=call_for_ever, args=(target, number, call), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def call_for_ever(target: str, number: int, call: Callable[[grpc.Channel], None]) -> None:
    def run(mine: int) -> None:
        with channel_to(target, mine) as channel:
            while True:
                try:
                    call(channel)
                except grpc.RpcError:
                    time.sleep(0.2)

    threads = [threading.Thread(target=run, args=(mine,)) for mine in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_raw(channel: grpc.Channel) -> None:
    request = pb.StreamBatchesRequest(split="train", global_batch_size=64, ranks=1, num_steps=20)
    for message in channel.unary_stream(f"/{SERVICE}/StreamBatches", None, None)(request.SerializeToString()):
        del message


def ask_for_pngs(channel: grpc.Channel) -> None:
    request = pb.GetSamplesRequest(split="train", indices=range(256), codec=pb.CODEC_PNG)
    channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(request.SerializeToString(), timeout=60)


def answer_times(target: str, duration_s: float) -> dict[str, list[float]]:
    """Milliseconds of health checks and GetDataset calls; none may be refused."""
    times: dict[str, list[float]] = {"health": [], "GetDataset": []}
    with channel_to(target, -1) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        describe = channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            started = time.perf_counter()
            check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
            checked = time.perf_counter()
            describe(b"", timeout=5)
            times["health"].append((checked - started) * 1000)
            times["GetDataset"].append((time.perf_counter() - checked) * 1000)
            time.sleep(0.02)
    return times


@pytest.fixture(params=["rendered", "shards"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The options of `serve`."""
    if request.param == "rendered":
        return []
    shards = str(tmp_path / "shards")
    assert main(["materialize", "--out", shards, "--count", "train=20000", "test=10"]) == 0
    return ["--shards", shards]


@pytest.mark.parametrize("num_callers", [12, 250])
def test_health_is_told_under_streams_and_callers_for_samples(
    num_callers: int, served: list[str], outcome: OpenOutcome
) -> None:
    """p99 stays below a quarter of what a probe waits, beside what an idle service needs on this machine meanwhile."""
    over = "shards" if served else "rendered samples"
    what = f"{NUM_STREAMS} streams and {num_callers} callers for 256 PNGs over {over}: health and GetDataset"
    with (
        outcome(promise="12", what=what) as result,
        ServiceProcess(*SERVE, *served) as service,
        ServiceProcess(*TOY) as idle,
    ):
        with callers(service.target, NUM_STREAMS, read_raw), callers(service.target, num_callers, ask_for_pngs):
            time.sleep(10)
            with result.one_try(times=2):
                times, beside = answer_times(service.target, 20), answer_times(idle.target, 5)
        p99 = {name: float(np.percentile(values, 99)) for name, values in times.items()}
        idle_p99 = float(np.percentile(np.concatenate(list(beside.values())), 99))
        told = ", ".join(f"{name} p50 {np.median(times[name]):.1f}, p99 {value:.1f} ms" for name, value in p99.items())
        result.note = f"{told}; an idle service beside it p99 {idle_p99:.1f} ms; {len(times['health'])} of each"
        with result.one_try():
            assert max(p99.values()) < PROBE_TIMEOUT_MS / 4 + idle_p99


def test_callers_that_left_cost_the_next_reader_nothing(outcome: OpenOutcome) -> None:
    what = "180 callers for samples gone after 0.3 s: the next reader"
    request = pb.GetSamplesRequest(split="train", indices=range(256), codec=pb.CODEC_PNG).SerializeToString()
    with (
        outcome(promise="12", what=what) as result,
        ServiceProcess(*SERVE) as service,
        connect(service.target) as client,
    ):
        before_s = first_step_s(client)
        channels = [channel_to(service.target, number) for number in range(180)]
        for channel in channels:
            channel.unary_unary(f"/{SERVICE}/GetSamples", None, None).future(request)
        time.sleep(0.3)
        for channel in channels:
            channel.close()
        after_s = first_step_s(client)
        result.note = f"a step took {before_s:.2f} s before and {after_s:.2f} s after"
        result.took(after_s)
        with result.one_try(times=180):
            assert after_s < before_s + 2


def first_step_s(client: DatasetClient) -> float:
    started = time.monotonic()
    with client.stream("train", num_steps=1) as stream:
        next(stream)
    return time.monotonic() - started


class StallingReader(threading.Thread):
    """Reads one message, stops until told, and reads the rest, resuming as the manual says."""

    def __init__(self, target: str, number: int, batch_size: int, go_on: threading.Event) -> None:
        super().__init__(daemon=True)
        self._target, self._number, self._batch_size, self._go_on = target, number, batch_size, go_on
        self.step, self.error = 0, ""

    def run(self) -> None:
        with channel_to(self._target, self._number) as channel:
            while self.step < 4 and not self.error:
                request = pb.StreamBatchesRequest(split="train", global_batch_size=self._batch_size, ranks=1)
                request.first_step, request.num_steps = self.step, 4 - self.step
                call = channel.unary_stream(f"/{SERVICE}/StreamBatches", None, None)
                try:
                    for message in call(request.SerializeToString()):
                        del message
                        self.step += 1
                        self._go_on.wait()
                except grpc.RpcError as error:
                    if not is_transient(error):
                        self.error = str(error)
                    time.sleep(0.2)


@pytest.mark.parametrize(("num_readers", "batch_size"), [(128, 64), (120, 500)])
def test_readers_that_stall_cost_no_more_than_the_budget_and_it_is_given_back(
    num_readers: int, batch_size: int, outcome: OpenOutcome
) -> None:
    what = f"{num_readers} readers of {batch_size} raw images stalled: memory within the budget"
    with outcome(promise="8, 12", what=what) as result:
        with ServiceProcess(*TOY, "--memory-mib", str(MEMORY_MB)) as service:
            pid, go_on, during_mb = service.process.pid, threading.Event(), list[float]()
            before_mb = resident_mb(pid)
            readers = [StallingReader(service.target, n, batch_size, go_on) for n in range(num_readers)]
            for reader in readers:
                reader.start()
            for _ in range(120):
                time.sleep(0.5)
                during_mb.append(resident_mb(pid))
            go_on.set()
            started = time.monotonic()
            for reader in readers:
                reader.join(300)
            result.took(time.monotonic() - started)
            time.sleep(10)
            after_mb = resident_mb(pid)
        late_mb = max(during_mb[60:])
        result.note = f"{before_mb:.0f} MB before, at most {max(during_mb):.0f}, {after_mb:.0f} ten seconds after"
        with result.one_try(times=num_readers):
            assert [reader.error for reader in readers if reader.error] == []
            assert {reader.step for reader in readers} == {4}
            assert max(during_mb) - before_mb < MEMORY_MB
            assert late_mb < max(during_mb[:60]) + 64
            assert after_mb < before_mb + 100
