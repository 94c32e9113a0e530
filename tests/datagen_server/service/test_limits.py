"""How much one caller, and all of them, may ask of a service: more is refused with the right status."""

from contextlib import ExitStack

import grpc
import pytest

from datagen_server.service import server
from datagen_server.service.health_check import check_health
from datagen_server.service.servicer import MAX_SAMPLE_CALLS
from shared.client import RetryPolicy, connect
from shared.client.channel import OPTIONS
from shared.errors import TooLarge, Unavailable
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.contract import SERVICE
from shared.rpc_errors import from_rpc_error, is_transient, reason_in
from tests.datagen_server.processes import wait_until
from tests.support.services import ServiceProcess, open_stream, served
from tests.support.toys import ToySource


def stream_of(batch_size: int) -> bytes:
    return pb.StreamBatchesRequest(split="train", global_batch_size=batch_size, ranks=1).SerializeToString()


def status_of_a_call(channel: grpc.Channel) -> grpc.StatusCode:
    try:
        channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", timeout=20)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("num_bytes", "code", "words"),
    [
        (65 << 10, grpc.StatusCode.INVALID_ARGUMENT, "request must have at most 65536 bytes, got"),
        (2 << 20, grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"),
    ],
)
def test_a_request_that_is_too_large_is_refused_and_never_sent_again(
    num_bytes: int, code: grpc.StatusCode, words: str
) -> None:
    request = pb.GetSamplesRequest(split="x" * num_bytes, indices=[0]).SerializeToString()
    with served() as target, grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(request, timeout=20)
    assert caught.value.code() == code
    assert words in (caught.value.details() or "")
    assert not is_transient(caught.value)


def test_a_batch_larger_than_a_reader_takes_is_no_reason_to_ask_again() -> None:
    small = [("grpc.max_receive_message_length", 1000)]
    with served() as target, grpc.insecure_channel(target, small) as channel, pytest.raises(grpc.RpcError) as caught:
        next(open_stream(channel, stream_of(64))[0])
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not is_transient(caught.value)
    assert isinstance(from_rpc_error(caught.value, "there"), TooLarge)


def test_a_header_that_is_too_large_is_refused() -> None:
    metadata = (("authorization", "x" * (32 << 10)),)
    with served() as target, grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/GetDataset", None, None)(b"", metadata=metadata, timeout=20)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_more_connections_than_there_may_be_are_closed_and_a_freed_one_is_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS_PER_STREAM", 1)
    monkeypatch.setattr(server, "_SPARE_CONNECTIONS", 2)
    with served(max_streams=1) as target, ExitStack() as stack:
        # Channels with other options share no connection.
        channels = [grpc.insecure_channel(target, [*OPTIONS, ("reader", n)]) for n in range(4)]
        *others, last = [stack.enter_context(channel) for channel in channels]
        assert [status_of_a_call(channel) for channel in others] == [grpc.StatusCode.OK] * 3
        assert status_of_a_call(last) == grpc.StatusCode.UNAVAILABLE
        others[0].close()
        wait_until(lambda: status_of_a_call(last) == grpc.StatusCode.OK, "the place of the one that left")


def test_more_calls_for_samples_than_there_may_be_are_refused_while_others_are_answered() -> None:
    source = ToySource(delay_s=3)
    request = pb.GetSamplesRequest(split="train", indices=[0]).SerializeToString()
    with served(source, max_streams=1) as target, grpc.insecure_channel(target) as channel, ExitStack() as stack:
        ask = channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)
        calls = [ask.future(request) for _ in range(MAX_SAMPLE_CALLS)]
        for call in calls:
            stack.callback(call.cancel)
        wait_until(lambda: len(source.reads) == MAX_SAMPLE_CALLS, "the calls to be on their way")
        with pytest.raises(grpc.RpcError) as caught:
            ask(request, timeout=20)
        assert status_of_a_call(channel) == grpc.StatusCode.OK
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "8 calls for single samples are under way; try later, or read a stream"
    assert reason_in(caught.value) == "TOO_MANY_SAMPLE_CALLS"
    assert is_transient(caught.value)


def test_samples_are_not_computed_for_a_caller_that_has_gone() -> None:
    source = ToySource(delay_s=0.5)
    request = pb.GetSamplesRequest(split="train", indices=[0]).SerializeToString()
    with served(source) as target, grpc.insecure_channel(target) as channel:
        ask = channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)
        calls = [ask.future(request) for _ in range(MAX_SAMPLE_CALLS)]
        wait_until(lambda: len(source.reads) == MAX_SAMPLE_CALLS, "the calls to be on their way")
        for call in calls:
            call.cancel()  # type: ignore[no-untyped-call]
        wait_until(lambda: source.num_cancelled == MAX_SAMPLE_CALLS - 1, "all but the first to be cancelled")
        assert len(ask(request, timeout=5)) > 0


def test_health_is_told_while_every_thread_of_streams_and_samples_is_taken() -> None:
    source = ToySource(delay_s=3)
    request = pb.GetSamplesRequest(split="train", indices=[0]).SerializeToString()
    with served(source, max_streams=4) as target, grpc.insecure_channel(target) as channel, ExitStack() as stack:
        samples = channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)
        for _ in range(100):
            stack.callback(samples.future(request).cancel)
        streams = [open_stream(channel, stream_of(64))[1] for _ in range(100)]
        for cancel in streams:
            stack.callback(cancel)
        wait_until(lambda: len(source.reads) > MAX_SAMPLE_CALLS, "the calls to be on their way")
        check_health(target)
        assert status_of_a_call(channel) == grpc.StatusCode.OK


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
