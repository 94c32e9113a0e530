"""The promised sequence of steps against real servers, whatever happens to them."""

import signal
import threading
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.client import RetryPolicy, connect
from shared.client.retrying_stream import RetryingStream
from shared.dataset.rank_slice import RankSlice
from shared.errors import (
    DataLoss,
    ForeignDataset,
    Unavailable,
)
from shared.protocol.batch import Records
from shared.protocol.batch_message import encode_batch
from shared.protocol.codec import Codec
from tests.shared.client.streams import expected_indices, indices_of
from tests.support.services import ServiceProcess, served
from tests.support.toys import TOY_COUNTS, TOY_SPEC, ToySource

HASTY = RetryPolicy(connect_timeout_s=0.5, read_timeout_s=0.5, give_up_after_s=0.5)


class DamagedSource(ToySource):
    """Can read nothing."""

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> Future[Records]:
        future: Future[Records] = Future()
        future.set_exception(DataLoss(f"index {indices[0]} of {split} is damaged"))
        return future


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


def test_a_foreign_replica_is_told_apart_by_its_spec() -> None:
    other = ToySource()
    other.dataset = replace(other.dataset, spec=replace(TOY_SPEC, seed=7), fingerprint="f" * 64)
    with served(other) as foreign, connect(foreign) as client, served() as own, connect(own) as reader:
        stream = RetryingStream(client._services, reader.request("train"), RetryPolicy())
        with pytest.raises(ForeignDataset, match=f"would be others; seed: 7 there, {TOY_SPEC.seed} here"):
            next(iter(stream))


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
        assert home.reads[-1] == 2


def test_a_full_service_is_tried_again_and_then_named() -> None:
    with (
        served(ToySource(delay_s=0.3), max_streams=1) as target,
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
        with pytest.raises(DataLoss, match=r"step 3 of epoch 0 .* cannot be decoded: record 0 of 64 "):
            next(stream)
        assert list(stream) == []
