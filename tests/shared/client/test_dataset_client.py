"""The client against real servers: the promised sequence, whatever happens to them."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.client import DatasetClient, RetryPolicy, connect
from shared.client.retrying_stream import RetryingStream
from shared.dataset.order import EpochOrder
from shared.dataset.rank_slice import RankSlice, Remainder
from shared.errors import (
    DataLoss,
    ForeignDataset,
    InvalidRequest,
    NotFound,
    StreamingError,
    Unavailable,
    UsageError,
)
from shared.protocol.batch import Batch, Records
from shared.protocol.batch_message import encode_batch
from shared.protocol.codec import Codec
from tests.services import ServiceProcess, served
from tests.toys import TOY_COUNTS, TOY_FINGERPRINT, TOY_SPEC, ToySource, same_as_toy

HASTY = RetryPolicy(connect_timeout_s=0.5, read_timeout_s=0.5, give_up_after_s=0.5)


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with served() as target:
        yield target


@pytest.fixture
def client(target: str) -> Iterator[DatasetClient]:
    with connect(target) as client:
        yield client


class DamagedSource(ToySource):
    """Can read nothing."""

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Future[Records]:
        future: Future[Records] = Future()
        future.set_exception(DataLoss(f"index {indices[0]} of {split} is damaged"))
        return future


def expected_indices(rank_slice: RankSlice, steps: range, seed: int, epoch: int) -> list[list[int]]:
    order = EpochOrder(rank_slice.count, seed, epoch)
    return [order.indices(rank_slice.positions(step)).tolist() for step in steps]


def indices_of(batches: list[Batch]) -> list[list[int]]:
    return [batch.indices.tolist() for batch in batches]


def test_a_client_knows_the_data_set(client: DatasetClient) -> None:
    assert client.dataset.spec == TOY_SPEC
    assert client.dataset.counts == TOY_COUNTS
    assert client.dataset.fingerprint == TOY_FINGERPRINT
    assert client.codecs == (Codec.RAW, Codec.ZSTD, Codec.PNG)
    assert client.source == "toy"


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize(("first", "num"), [(0, 0), (3, 4), (14, 1), (15, 0)])
def test_a_stream_is_the_asked_steps_in_order(client: DatasetClient, codec: Codec, first: int, num: int) -> None:
    part = RankSlice(count=1000, global_batch_size=64)
    with client.stream("train", order_seed=5, epoch=2, first_step=first, num_steps=num, codec=codec) as stream:
        batches = list(stream)
    steps = range(first, first + num if num else 15)
    assert [(batch.epoch, batch.step) for batch in batches] == [(2, step) for step in steps]
    assert indices_of(batches) == expected_indices(part, steps, 5, 2)
    assert all(same_as_toy(batch, TOY_SPEC, "train") for batch in batches)


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
@pytest.mark.parametrize("remainder", Remainder)
def test_all_ranks_together_see_the_global_batches(client: DatasetClient, ranks: int, remainder: Remainder) -> None:
    with ExitStack() as stack:
        streams = [
            stack.enter_context(
                client.stream("test", global_batch_size=64, rank=rank, ranks=ranks, remainder=remainder, epoch=1)
            )
            for rank in range(ranks)
        ]
        steps = [np.concatenate([batch.indices for batch in step]).tolist() for step in zip(*streams, strict=True)]
    whole = RankSlice(count=130, global_batch_size=64, remainder=remainder)
    assert steps == expected_indices(whole, range(whole.num_steps), 0, 1)


def test_many_streams_at_once_do_not_mix(client: DatasetClient) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(client.stream("train", epoch=epoch)) for epoch in range(6)]
        for step in range(15):
            for epoch, stream in enumerate(streams):
                batch = next(stream)
                assert (batch.epoch, batch.step) == (epoch, step)


def test_samples_come_in_the_order_asked_and_in_any_number(client: DatasetClient) -> None:
    indices = [999, 0, 0, *range(600)]
    samples = client.samples("train", indices)
    assert [sample.index for sample in samples] == indices
    assert client.samples("train", []) == []


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"split": "dev"}, NotFound, "split must be one of test, train, got 'dev'"),
        ({"epoch": -1}, InvalidRequest, "epoch must be in 0..4294967295, got -1"),
        ({"order_seed": 2**64}, InvalidRequest, "order_seed must be in"),
        ({"first_step": 16}, InvalidRequest, "first_step must be in 0..15, got 16"),
        ({"first_step": 3, "num_steps": 13}, InvalidRequest, "num_steps must be in 0..12, got 13"),
        ({"global_batch_size": 63, "ranks": 2}, InvalidRequest, "multiple of ranks"),
        ({"rank": 1}, InvalidRequest, "rank must be in 0..0"),
        ({"prefetch": 0}, InvalidRequest, "prefetch must be at least 1"),
    ],
)
def test_a_wrong_stream_is_refused_before_the_wire(
    client: DatasetClient, wrong: dict[str, object], error: type[StreamingError], message: str
) -> None:
    with pytest.raises(error, match=message):
        client.stream(**{"split": "train", **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["", "somewhere", "127.0.0.1", "127.0.0.1:0", "a:1,,b:2", "http://a:80", "a:99999"])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        connect(target)


def test_nobody_there_is_one_clear_line_within_seconds() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{held.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            connect(target, RetryPolicy(connect_timeout_s=1.0))
    assert time.monotonic() - started < 3
    hint = "start one with: python -m datagen_server serve"
    assert str(caught.value) == f"no data set service answers at {target} (connection refused); {hint}"


def test_any_grpc_target_will_do(target: str) -> None:
    port = target.rpartition(":")[2]
    for other in (f"dns:///localhost:{port}", f"ipv4:127.0.0.1:{port}", f"127.0.0.1:1,{target}"):
        with connect(other) as client, client.stream("train", num_steps=2) as stream:
            assert len(list(stream)) == 2


def test_the_stream_goes_on_where_a_killed_service_left_it() -> None:
    with ServiceProcess() as service, connect(service.target) as client, client.stream("train", prefetch=1) as stream:
        batches = [next(stream) for _ in range(3)]
        service.end(signal.SIGKILL)
        threading.Timer(0.5, service.start).start()
        batches += stream
        assert stream.reopened
    assert indices_of(batches) == expected_indices(RankSlice(count=1000, global_batch_size=64), range(15), 0, 0)


def test_the_stream_goes_on_at_a_replica_when_its_service_drains() -> None:
    with ServiceProcess() as first, served() as second, connect(f"{first.target},{second}") as client:
        with client.stream("train", prefetch=1) as stream:
            batches = [next(stream)]
            assert first.end(signal.SIGTERM) == 0
            batches += stream
        assert client.samples("train", [1])[0].index == 1
    assert indices_of(batches) == expected_indices(RankSlice(count=1000, global_batch_size=64), range(15), 0, 0)


def test_a_service_that_stays_away_is_an_error_that_says_what_to_check() -> None:
    with ServiceProcess() as service, connect(service.target, HASTY) as client, client.stream("train") as stream:
        next(stream)
        service.end()
        with pytest.raises(Unavailable) as caught:
            list(stream)
    message = str(caught.value)
    assert service.target in message
    assert "(connection refused)" in message
    assert "gave up at step" in message
    assert message.endswith(f"check it with: python -m datagen_server health --target {service.target}")


def test_a_service_that_never_answers_a_read_is_asked_again_and_then_named() -> None:
    with (
        served(ToySource(delay_s=2)) as target,
        connect(target, HASTY) as client,
        client.stream("train") as stream,
        pytest.raises(Unavailable, match="sent nothing for 1 s"),
    ):
        next(stream)


def foreign_source() -> ToySource:
    source = ToySource()
    source.dataset = type(source.dataset)(spec=TOY_SPEC, counts=TOY_COUNTS, fingerprint="f" * 64)
    return source


def test_a_foreign_replica_is_named_and_a_good_one_read_instead(caplog: pytest.LogCaptureFixture) -> None:
    with (
        served() as own,
        served(foreign_source()) as foreign,
        connect(f"{own},{foreign}") as client,
        client.stream("train", rank=1, ranks=2) as stream,
    ):
        assert [batch.step for batch in stream] == list(range(15))
        assert stream.reopened == 1
    refused = f"{foreign}: fingerprint must be ffffffffffffffff... as of this data set"
    logged = [record.getMessage() for record in caplog.records if record.name == "shared.client.stream_log"]
    assert [message.startswith(refused) for message in logged] == [True, False]


def test_where_all_replicas_are_foreign_that_is_an_error_by_name() -> None:
    with served(foreign_source()) as foreign, connect(foreign) as client, served() as own, connect(own) as other:
        request = other.request("train")
        with pytest.raises(ForeignDataset, match=f"{foreign}: fingerprint must be ffffffffffffffff"):
            next(iter(RetryingStream(client._services * 4, request, RetryPolicy())))


def test_what_one_replica_has_lost_another_may_have() -> None:
    with (
        served(DamagedSource()) as damaged,
        served() as whole,
        connect(f"{damaged},{whole}") as client,
        client.stream("train") as stream,
    ):
        batches = list(stream)
        assert stream.reopened == 1
    assert indices_of(batches) == expected_indices(RankSlice(count=1000, global_batch_size=64), range(15), 0, 0)


def test_a_reader_that_failed_over_returns_to_its_home_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.client.call_size._FIRST_NUM_STEPS", 5)
    monkeypatch.setattr("shared.client.failover._RETURN_HOME_AFTER_S", 0.0)
    home, other = ToySource(delay_s=0.01), ToySource()
    with (
        served(home, max_streams=1) as first,
        served(other) as second,
        connect(f"{first},{second}") as client,
        client.stream("train", global_batch_size=1) as occupant,
    ):
        next(occupant)
        with client.stream("train", global_batch_size=2, prefetch=1) as stream:
            steps = [next(stream).step]
            assert len(other.reads) >= 1
            occupant.close()
            with connect(first) as next_occupant, next_occupant.stream("train", num_steps=1) as short:
                list(short)
            steps += [batch.step for batch in stream]
        assert steps == list(range(500))
        assert home.reads[-1].result().labels.shape[0] == 2


def test_a_full_service_is_tried_again_and_then_named() -> None:
    with (
        served(ToySource(delay_s=0.1), max_streams=1) as target,
        connect(target, HASTY) as client,
        client.stream("train") as first,
    ):
        next(first)
        with client.stream("train") as second, pytest.raises(Unavailable, match="all 1 streams are taken"):
            next(second)


def test_a_stream_of_damaged_bytes_is_data_loss_after_three_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datagen_server.service.step_prefetch.encode_batch", lambda *_: b"\x08\x01")
    with served() as target, connect(target) as client, client.stream("train") as stream:
        with pytest.raises(DataLoss, match=target):
            next(stream)
        assert stream.reopened == 2


def test_a_stream_whose_bytes_were_damaged_once_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # An epoch no other test reads: a stream that an earlier test left may still be encoding its last batch.
    damaged = iter([True])

    def encode(epoch: int, step: int, indices: NDArray[np.uint64], records: Records) -> bytes:
        message = encode_batch(epoch, step, indices, records)
        damage = epoch == 77 and next(damaged, False)
        return message[:-1] + bytes([message[-1] ^ 1]) if damage else message

    monkeypatch.setattr("datagen_server.service.step_prefetch.encode_batch", encode)
    with served() as target, connect(target) as client, client.stream("train", epoch=77) as stream:
        assert [batch.step for batch in stream] == list(range(15))
        assert stream.reopened == 1


def test_an_image_that_came_whole_and_cannot_be_decoded_is_data_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(epoch: int, step: int, indices: NDArray[np.uint64], records: Records) -> bytes:
        if step == 3:
            payloads, sizes = [b"no frame"] * len(indices), np.full(len(indices), 8, np.uint32)
            records = Records(records.codec, payloads, sizes, records.labels)
        return encode_batch(epoch, step, indices, records)

    monkeypatch.setattr("datagen_server.service.step_prefetch.encode_batch", encode)
    with served() as target, connect(target) as client, client.stream("train", codec=Codec.ZSTD) as stream:
        assert [next(stream).step for _ in range(3)] == [0, 1, 2]
        with pytest.raises(DataLoss, match=r"step 3 of epoch 0 .* cannot be decoded: .* item 0"):
            next(stream)
        assert list(stream) == []


def test_close_ends_a_waiting_reader_at_once() -> None:
    with served(ToySource(delay_s=1)) as target, connect(target) as client:
        stream = client.stream("train")
        threading.Timer(0.2, stream.close).start()
        started = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - started < 0.9


def test_closing_the_client_ends_its_streams(target: str) -> None:
    client = connect(target)
    stream = client.stream("train", global_batch_size=1)
    next(stream)
    client.close()
    assert list(stream) == []


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
