"""How much one caller, and all of them, may ask of a service: more is refused with the right status."""

from contextlib import ExitStack

import grpc
import pytest

from datagen_server.service import server
from shared.client import RetryPolicy, connect
from shared.client.channel import OPTIONS
from shared.errors import Unavailable
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.messages import SERVICE
from tests.datagen_server.processes import wait_until
from tests.services import ServiceProcess, served
from tests.toys import ToySource


def status_of_a_call(channel: grpc.Channel) -> grpc.StatusCode:
    try:
        channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", timeout=20)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_a_request_that_is_too_large_is_refused_before_it_is_read() -> None:
    request = pb.GetSamplesRequest(split="x" * (64 << 10), indices=[0]).SerializeToString()
    with served() as target, grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(request, timeout=20)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (caught.value.details() or "")


def test_a_header_that_is_too_large_is_refused() -> None:
    metadata = (("authorization", "x" * (32 << 10)),)
    with served() as target, grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", metadata=metadata, timeout=20)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_more_connections_than_there_may_be_are_closed_and_a_freed_one_is_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS_PER_STREAM", 1)
    monkeypatch.setattr(server, "_SPARE_CALLS", 2)
    with served(max_streams=1) as target, ExitStack() as stack:
        # Channels with other options share no connection.
        channels = [grpc.insecure_channel(target, [*OPTIONS, ("reader", n)]) for n in range(4)]
        *others, last = [stack.enter_context(channel) for channel in channels]
        assert [status_of_a_call(channel) for channel in others] == [grpc.StatusCode.OK] * 3
        assert status_of_a_call(last) == grpc.StatusCode.UNAVAILABLE
        others[0].close()
        wait_until(lambda: status_of_a_call(last) == grpc.StatusCode.OK, "the place of the one that left")


def test_more_calls_at_once_than_there_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SPARE_CALLS", 1)
    source = ToySource(delay_s=3)
    request = pb.GetSamplesRequest(split="train", indices=[0]).SerializeToString()
    with served(source, max_streams=1) as target, grpc.insecure_channel(target) as channel, ExitStack() as stack:
        other = stack.enter_context(grpc.insecure_channel(target, [("reader", 1)]))
        for _ in range(2):
            stack.callback(channel.unary_unary(f"/{SERVICE}/GetSamples", None, None).future(request).cancel)
        wait_until(lambda: len(source.reads) == 2, "both calls to be on their way")
        assert status_of_a_call(other) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_old_connection_is_changed_for_a_new_one_without_a_stream_noticing(monkeypatch: pytest.MonkeyPatch) -> None:
    younger = [(key, 200 if key == "grpc.max_connection_age_ms" else value) for key, value in server._OPTIONS]
    monkeypatch.setattr(server, "_OPTIONS", younger)
    with served(ToySource(delay_s=0.02)) as target, connect(target) as client:
        for epoch in range(6):
            with client.stream("train", epoch=epoch) as stream:
                assert [batch.step for batch in stream] == list(range(15))
                assert stream.reopened == 0


def test_serve_takes_as_many_streams_as_it_is_told() -> None:
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--max-streams", "1"
    hasty = RetryPolicy(read_timeout_s=30, give_up_after_s=0.5)
    with (
        ServiceProcess(*serve, "--stop-with-stdin") as service,
        connect(service.target, hasty) as client,
        client.stream("train") as first,
    ):
        next(first)
        with client.stream("train") as second, pytest.raises(Unavailable, match="all 1 streams are taken"):
            next(second)
