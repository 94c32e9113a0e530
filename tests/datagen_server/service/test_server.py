"""The server process: where it listens, what it says of its health, and how it leaves."""

import logging
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from datagen_server.service.health_check import check_health
from datagen_server.service.server import DatasetServer
from shared.client import RetryPolicy, connect
from shared.client.channel import OPTIONS
from shared.dataset.spec import DatasetSpec
from shared.errors import Unavailable, UsageError
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.contract import SERVICE
from shared.system.listen_address import ListenAddress
from tests.support.services import ServiceProcess, open_stream, served
from tests.support.toys import ToySource

HASTY = RetryPolicy(connect_timeout_s=0.5, read_timeout_s=1.0, give_up_after_s=0.5)


def test_a_taken_port_is_named() -> None:
    with served() as target, pytest.raises(UsageError) as caught:
        DatasetServer(ToySource(), ListenAddress("127.0.0.1", int(target.rpartition(":")[2])))
    assert str(caught.value) == f"cannot listen on {target}: address already in use; choose another --listen"


def test_it_listens_on_ipv6_too() -> None:
    try:
        ListenAddress("::1", 0).check()
    except UsageError:
        pytest.skip("this machine has no IPv6")
    source = ToySource()
    with DatasetServer(source, ListenAddress("::1", 0)) as server, connect(str(server.listen)) as client:
        assert client.source == "toy"
        server.drain(0)
    source.close()


def test_health_is_told_for_the_whole_server_and_for_the_service() -> None:
    with served() as target, grpc.insecure_channel(target) as channel:
        for name in ("", SERVICE):
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        check_health(target)


def test_health_of_nobody_is_one_line() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Unavailable) as caught:
            check_health(target)
    assert str(caught.value) == f"no data set service answers at {target} (connection refused)"


def test_draining_turns_health_and_ends_streams_at_a_step_that_is_named() -> None:
    source = ToySource(delay_s=0.05)
    with (
        DatasetServer(source, ListenAddress("127.0.0.1", 0)) as server,
        grpc.insecure_channel(str(server.listen)) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        request = pb.StreamBatchesRequest(split="train", global_batch_size=10, ranks=1).SerializeToString()
        messages, _ = open_stream(channel, request)
        steps = [pb.StreamBatchesResponse.FromString(next(messages)).step]
        threading.Timer(0.1, server.drain).start()
        with pytest.raises(grpc.RpcError) as caught:
            steps.extend(pb.StreamBatchesResponse.FromString(message).step for message in messages)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == f"the server drains; resume at step {len(steps)}"
    assert steps == list(range(len(steps)))
    source.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_its_code(number: signal.Signals, code: int) -> None:
    with ServiceProcess() as service, connect(service.target) as client, client.stream("train"):
        started = time.monotonic()
        assert service.end(number) == code
        assert time.monotonic() - started < 8


def test_it_stops_with_its_standard_input() -> None:
    with ServiceProcess() as service:
        assert service.process.stdin is not None
        service.process.stdin.close()
        assert service.wait() == 0


def test_a_reader_of_a_draining_server_without_replicas_gives_up_by_name() -> None:
    with ServiceProcess() as service, connect(service.target, HASTY) as client, client.stream("train") as stream:
        next(stream)
        service.end(signal.SIGTERM)
        with pytest.raises(Unavailable, match="gave up at step"):
            list(stream)


def test_importing_the_service_does_not_import_mindspore() -> None:
    check = "import sys, datagen_server.cli; assert 'mindspore' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_stalled_stream_that_a_drain_cuts_off_is_not_said_to_be_cancelled_by_its_reader(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "datagen_server")
    source = ToySource(DatasetSpec(width=512, height=512), {"train": 10_000})
    request = pb.StreamBatchesRequest(split="train", global_batch_size=16, ranks=1).SerializeToString()
    with served(source) as target, grpc.insecure_channel(target, OPTIONS) as channel:
        messages, _ = open_stream(channel, request)
        next(messages)
        time.sleep(1)
    ends = [told for told in caplog.messages if " closed before step " in told]
    assert len(ends) == 1
    # Which of the two depends on whether gRPC has taken the last message by then.
    cut_off = "cut off as this server drained: its reader had stalled"
    assert ends[0].endswith((cut_off, "ended with UNAVAILABLE"))
