"""The client against real servers: what it knows, what it reads and what it refuses."""

import socket
import time
from contextlib import ExitStack

import numpy as np
import pytest

from shared.client import DatasetClient, RetryPolicy, connect
from shared.dataset.rank_slice import RankSlice, Remainder
from shared.errors import (
    InvalidRequest,
    NotFound,
    StreamingError,
    Unavailable,
    UsageError,
)
from shared.protocol.codec import Codec
from tests.shared.client.streams import expected_indices, indices_of
from tests.support.toys import TOY_COUNTS, TOY_FINGERPRINT, TOY_SPEC, same_as_toy


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


def test_closing_the_client_ends_its_streams(target: str) -> None:
    client = connect(target)
    stream = client.stream("train", global_batch_size=1)
    next(stream)
    client.close()
    assert list(stream) == []
