"""Batches are received ahead, up to a limit, and closing a stream ends all of it."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from shared.client import Codec, DatasetClient, connect
from shared.errors import DataLoss
from shared.protocol.batch import Batch
from shared.protocol.batch_message import ReceivedBatch
from shared.protocol.request import StreamRequest
from tests.support.services import served
from tests.support.toys import ToySource


def test_close_ends_a_waiting_reader_at_once() -> None:
    with served(ToySource(delay_s=1)) as target, connect(target) as client:
        stream = client.stream("train")
        threading.Timer(0.2, stream.close).start()
        started = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - started < 0.9


def test_a_reader_that_stops_holds_no_more_than_its_prefetch(client: DatasetClient) -> None:
    with client.stream("train", global_batch_size=1, prefetch=3) as stream:
        next(stream)
        time.sleep(0.2)
        assert len(stream._ready) == 3
        assert stream._stream.step <= 5


def test_waiting_for_data_is_counted_and_being_busy_is_not() -> None:
    with (
        served(ToySource(delay_s=0.1)) as target,
        connect(target) as client,
        client.stream("train", num_steps=5) as stream,
    ):
        next(stream)
        assert stream.wait_s >= 0.1
        time.sleep(0.7)
        before = stream.wait_s
        list(stream)
        assert stream.wait_s - before < 0.1


@pytest.mark.parametrize("codec", Codec)
def test_batches_keep_their_order_however_long_each_takes_to_decode(
    client: DatasetClient, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, decoding = ReceivedBatch.decode, list[int]()

    def slow(received: ReceivedBatch) -> Batch:
        decoding.append(received.step)
        time.sleep(0.02 * (received.step % 3 == 0))
        return decode(received)

    monkeypatch.setattr(ReceivedBatch, "decode", slow)
    with client.stream("train", codec=codec, num_steps=15) as stream:
        assert [batch.step for batch in stream] == sorted(decoding) == list(range(15))


def test_two_batches_are_decoded_at_a_time(client: DatasetClient, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, both = ReceivedBatch.decode, threading.Barrier(2, timeout=10)

    def together(received: ReceivedBatch) -> Batch:
        both.wait()
        return decode(received)

    monkeypatch.setattr(ReceivedBatch, "decode", together)
    with client.stream("train", codec=Codec.ZSTD, num_steps=6) as stream:
        assert len(list(stream)) == 6


@pytest.mark.parametrize("codec", [Codec.RAW, Codec.ZSTD])
def test_a_fault_in_decoding_comes_in_its_place(
    client: DatasetClient, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = ReceivedBatch.decode

    def break_down(received: ReceivedBatch) -> Batch:
        if received.step == 3:
            raise MemoryError("no room for step 3")
        return decode(received)

    monkeypatch.setattr(ReceivedBatch, "decode", break_down)
    with client.stream("train", codec=codec) as stream:
        assert [next(stream).step for _ in range(3)] == [0, 1, 2]
        with pytest.raises(MemoryError, match="step 3"):
            next(stream)
        assert next(stream).step == 4


def test_no_thread_of_a_closed_stream_is_left(client: DatasetClient) -> None:
    stream = client.stream("train", codec=Codec.ZSTD, global_batch_size=1)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "batch-stream"]


def epochs_of(client: DatasetClient, epochs: range) -> Iterator[StreamRequest]:
    return (client.request("train", epoch=epoch, num_steps=5) for epoch in epochs)


@pytest.mark.parametrize("prefetch", [1, 4, 9])
def test_streams_one_after_the_other_give_the_batches_of_each(client: DatasetClient, prefetch: int) -> None:
    alone = [batch for request in epochs_of(client, range(3)) for batch in client.open_stream(request)]
    together = list(client.open_streams(epochs_of(client, range(3)), prefetch))
    assert [(batch.epoch, batch.step) for batch in together] == [(batch.epoch, batch.step) for batch in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)


def test_the_next_stream_is_opened_while_the_last_batches_are_used(client: DatasetClient) -> None:
    opened = list[int]()

    def noted() -> Iterator[StreamRequest]:
        for request in epochs_of(client, range(2)):
            opened.append(request.epoch)
            yield request

    streams = client.open_streams(noted(), prefetch=2)
    batches = iter(streams)
    assert [(next(batches).step, len(opened)) for _ in range(2)] == [(0, 1), (1, 1)]
    assert next(batches).step == 2
    while not streams._streams[0].is_received:
        time.sleep(0.01)
    assert [(next(batches).step, len(opened)) for _ in range(2)] == [(3, 2), (4, 2)]
    assert [(batch.epoch, batch.step) for batch in batches] == [(1, step) for step in range(5)]


@pytest.mark.parametrize("prefetch", [1, 4, 9])
def test_a_service_that_allows_one_stream_never_has_two(prefetch: int) -> None:
    with served(ToySource(delay_s=0.005), max_streams=1) as target, connect(target) as client:
        streams = client.open_streams(epochs_of(client, range(6)), prefetch)
        assert len(list(streams)) == 30
        assert streams.reopened == 0


def test_closing_ends_both_open_streams(client: DatasetClient) -> None:
    streams = client.open_streams(epochs_of(client, range(9)))
    batches = iter(streams)
    next(batches)
    while not streams._streams[0].is_received:
        time.sleep(0.01)
    next(batches)
    both = list(streams._streams)
    assert len(both) == 2
    streams.close()
    assert list(batches) == []
    assert not any(stream._thread.is_alive() for stream in both)


def test_streams_closed_before_they_are_read_open_nothing(client: DatasetClient) -> None:
    streams = client.open_streams(epochs_of(client, range(2)))
    streams.close()
    assert list(streams) == []
    assert len(list(streams._requests)) == 2


def test_an_error_of_one_stream_closes_the_next(client: DatasetClient, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = ReceivedBatch.decode

    def damaged(received: ReceivedBatch) -> Batch:
        if (received.epoch, received.step) == (0, 4):
            raise DataLoss("the batch is damaged")
        return decode(received)

    monkeypatch.setattr(ReceivedBatch, "decode", damaged)
    streams = client.open_streams(epochs_of(client, range(2)))
    batches = iter(streams)
    next(batches)
    while not streams._streams[0].is_received:
        time.sleep(0.01)
    with pytest.raises(DataLoss):
        list(batches)
    assert [stream._closed for stream in streams._streams] == [True, True]
