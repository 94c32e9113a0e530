"""The servicer by hand-made requests: right status, field named, and nothing kept of the callers that were refused."""

import logging
import random
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import grpc
import pytest

from shared.client.channel import OPTIONS
from shared.dataset.spec import DatasetSpec
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.codec import Codec
from shared.protocol.contract import SERVICE
from tests.support.services import open_stream, served
from tests.support.toys import TOY_FINGERPRINT, ToySource

DEFAULT_STREAMS = 2
COUNTS = {"train": 1000, "large": 2**48, "test": 130}
STREAM, SAMPLES, DATASET = "StreamBatches", "GetSamples", "GetDataset"


class Case(NamedTuple):
    """A request with one thing wrong, or at its bound: what it must be answered."""

    method: str
    request: bytes
    status: grpc.StatusCode
    field: str = ""


def stream_request(**fields: object) -> pb.StreamBatchesRequest:
    valid: dict[str, object] = {"split": "train", "global_batch_size": 64, "ranks": 1, "num_steps": 1}
    return pb.StreamBatchesRequest(**{**valid, **fields})  # type: ignore[arg-type]


def overridden(request: pb.StreamBatchesRequest | pb.GetSamplesRequest, field: str, value: int) -> bytes:
    """The request with a number that its Python class would refuse, such as a negative or too large one."""
    number = request.DESCRIPTOR.fields_by_name[field].number
    varint = pb.Split(count=value % 2**64).SerializeToString()[1:] or b"\0"
    return request.SerializeToString() + bytes([number << 3]) + varint


def stream_cases(rng: random.Random) -> Iterator[Case]:
    """One wrong field each, in an otherwise valid request that differs from call to call."""
    ok, invalid, foreign = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
    base = {"order_seed": rng.randrange(2**64), "epoch": rng.randrange(2**32), "shuffle": rng.random() < 0.5}

    def case(status: grpc.StatusCode, field: str, **fields: object) -> Case:
        return Case(STREAM, stream_request(**{**base, **fields}).SerializeToString(), status, field)

    def raw(status: grpc.StatusCode, field: str, value: int) -> Case:
        return Case(STREAM, overridden(stream_request(**base), field, value), status, field)

    for wrong in ("f", "F" * 64, "g" * 64, "f" * 63, "f" * 65, "f" * rng.randrange(60_000)):
        yield case(invalid, "fingerprint", fingerprint=wrong)
    yield case(foreign, "fingerprint", fingerprint=f"{rng.randrange(2**200):064x}")
    yield case(ok, "", fingerprint=TOY_FINGERPRINT)
    for wrong in ("", "dev", "Train", "train ", "../train", "träin", "x" * rng.randrange(40, 60_000), "a\nb"):
        yield case(grpc.StatusCode.NOT_FOUND, "split", split=wrong)
    yield from (case(foreign, "split_count", split_count=count) for count in (1, 999, 1001, 2**48, 2**64 - 1))
    yield case(ok, "", split_count=1000)
    for epoch, status in ((0, ok), (2**32 - 1, ok), (2**32, invalid), (2**64 - 1, invalid)):
        yield case(status, "epoch", epoch=epoch)
    yield from (case(ok, "order_seed", order_seed=seed) for seed in (0, 2**64 - 1))
    for step, status in ((0, ok), (14, ok), (16, invalid), (2**63, invalid), (2**64 - 1, invalid)):
        yield case(status, "first_step", first_step=step)
    yield case(ok, "", first_step=15, num_steps=0)
    yield case(invalid, "num_steps", first_step=15, num_steps=1)
    for num, status in ((0, ok), (15, ok), (16, invalid), (2**64 - 1, invalid)):
        yield case(status, "num_steps", num_steps=num)
    for size, status in ((1, ok), (1000, ok), (0, invalid), (1001, invalid), (65537, invalid), (2**32 - 1, invalid)):
        yield case(status, "global_batch_size", global_batch_size=size)
    yield case(invalid, "global_batch_size", split="large", global_batch_size=4097)
    yield case(invalid, "global_batch_size", split="large", global_batch_size=65536, ranks=8)
    yield case(ok, "", split="large", global_batch_size=65536, ranks=65536, rank=65535)
    yield case(invalid, "global_batch_size", global_batch_size=64, ranks=3)
    yield case(ok, "", remainder=pb.REMAINDER_PAD, global_batch_size=2000, num_steps=1)
    for ranks, status in ((64, ok), (0, invalid), (65537, invalid), (2**32 - 1, invalid)):
        yield case(status, "ranks", ranks=ranks)
    for rank, status in ((3, ok), (4, invalid), (5, invalid), (2**32 - 1, invalid)):
        yield case(status, "rank", ranks=4, rank=rank)
    for field in ("codec", "remainder"):
        for value in (4, 5, -1, -(2**31), 2**31 - 1):
            yield raw(invalid, field, value)
    for field in ("epoch", "first_step", "num_steps", "global_batch_size", "rank", "ranks"):
        yield raw(invalid, field, -1)
    yield raw(foreign, "split_count", -1)


def samples_cases(rng: random.Random) -> Iterator[Case]:
    ok, invalid = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT

    def case(status: grpc.StatusCode, field: str, indices: Sequence[int], split: str = "train") -> Case:
        return Case(SAMPLES, pb.GetSamplesRequest(split=split, indices=indices).SerializeToString(), status, field)

    yield case(ok, "", [rng.randrange(1000)])
    yield case(ok, "", [999] * 256)
    for wrong in ([], [0] * 257, [1000], [0, 2**64 - 1], range(20_000)):
        yield case(invalid, "indices", wrong)
    for split in ("", "dev", "x" * 1000):
        yield case(grpc.StatusCode.NOT_FOUND, "split", [0], split)
    for codec in (3, 4, -1, 2**31 - 1):
        yield Case(
            SAMPLES, overridden(pb.GetSamplesRequest(split="train", indices=[0]), "codec", codec), invalid, "codec"
        )


def garbage_cases(rng: random.Random) -> Iterator[Case]:
    for method in (STREAM, SAMPLES, DATASET):
        for garbage in (b"\xff", b"\x0a\x7f", b"\x0a\x02\xff\xfe", b"\x07" + rng.randbytes(rng.randrange(100))):
            if method != DATASET or garbage[0] != 0x0A or len(garbage) == 2:
                yield Case(method, garbage, grpc.StatusCode.INVALID_ARGUMENT, "request")


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    source = ToySource(counts=COUNTS)
    source.codecs = (Codec.RAW, Codec.ZSTD)
    with served(source, DEFAULT_STREAMS) as target, grpc.insecure_channel(target, options=OPTIONS) as channel:
        yield channel


def call(channel: grpc.Channel, method: str, request: bytes) -> tuple[grpc.StatusCode, str]:
    try:
        if method == STREAM:
            next(open_stream(channel, request)[0], None)
        else:
            channel.unary_unary(f"/{SERVICE}/{method}", None, None)(request, timeout=20)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def test_a_thousand_malformed_requests_get_the_right_status_and_the_service_still_serves(channel: grpc.Channel) -> None:
    rng, num_refused, num_served = random.Random(0), 0, 0
    while num_refused < 1000:
        for case in (*stream_cases(rng), *samples_cases(rng), *garbage_cases(rng)):
            status, details = call(channel, case.method, case.request)
            assert (status, case.method, case.request[-40:]) == (case.status, case.method, case.request[-40:]), details
            if status == grpc.StatusCode.OK:
                num_served += 1
                continue
            num_refused += 1
            assert details.split()[0] == case.field, details
            assert len(details) < 300
            assert details.isprintable()
    print(f"\n{num_refused} malformed requests refused as they should, {num_served} at their bounds served")
    assert call(channel, STREAM, stream_request().SerializeToString())[0] == grpc.StatusCode.OK


def test_a_batch_of_more_pixels_than_a_message_may_hold_is_refused() -> None:
    source = ToySource(DatasetSpec(width=1024, height=1024), COUNTS)
    with served(source) as target, grpc.insecure_channel(target, options=OPTIONS) as channel:
        limit = "global_batch_size must give a rank at most 21 samples a step"
        status, details = call(channel, STREAM, stream_request(global_batch_size=22).SerializeToString())
        assert (status, details[: len(limit)]) == (grpc.StatusCode.INVALID_ARGUMENT, limit)
        request = pb.GetSamplesRequest(split="train", indices=range(22)).SerializeToString()
        assert "indices must be 1..21 of them" in call(channel, SAMPLES, request)[1]


def test_a_reader_that_leaves_frees_its_look_ahead_and_its_place(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "datagen_server")
    source = ToySource(delay_s=0.2)
    with served(source, 1) as target, grpc.insecure_channel(target, options=OPTIONS) as channel:
        messages, cancel = open_stream(channel, stream_request(num_steps=0).SerializeToString())
        next(messages)
        assert call(channel, STREAM, stream_request().SerializeToString())[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        cancel()
        time.sleep(0.5)
        assert source.num_cancelled >= 3
        assert len(source.reads) <= 7
        assert call(channel, STREAM, stream_request().SerializeToString())[0] == grpc.StatusCode.OK
    opened, closed = [record.getMessage() for record in caplog.records if "stream of" in record.getMessage()][:2]
    assert opened.startswith("stream of train epoch 0 rank 0/1 for ipv4:127.0.0.1:")
    assert opened.endswith("opened: steps 0 to 15, raw")
    assert closed.endswith("cancelled by its reader")


def test_the_same_request_gives_the_same_bytes(channel: grpc.Channel) -> None:
    request = stream_request(order_seed=4, shuffle=True, num_steps=0).SerializeToString()
    assert list(open_stream(channel, request)[0]) == list(open_stream(channel, request)[0])
