"""Batches are received ahead, up to a limit, and closing a stream ends all of it."""

import threading
import time

import pytest

from shared.client import Codec, DatasetClient, connect
from shared.protocol.batch import Batch
from shared.protocol.batch_message import ReceivedBatch
from tests.services import served
from tests.toys import ToySource


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
