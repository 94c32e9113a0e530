"""Batches are received ahead, up to a limit, and closing a stream ends all of it."""

import threading
import time

from shared.client import DatasetClient, connect
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
