"""The state of a stream: where it was saved it goes on, in any process and with any number of ranks."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from shared.client import BatchStream, connect
from shared.errors import UsageError
from tests.support.services import served


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with served() as target:
        yield target


def steps_of(stream: BatchStream) -> list[tuple[int, int, list[int]]]:
    return [(batch.epoch, batch.step, batch.indices.tolist()) for batch in stream]


@pytest.mark.parametrize("num_read", [0, 1, 7, 15])
def test_a_saved_stream_goes_on_after_the_last_batch_that_was_given(target: str, num_read: int) -> None:
    with connect(target) as client:
        with client.stream("train", epoch=3) as stream:
            whole = steps_of(stream)
        with client.stream("train", epoch=3) as stream:
            for _ in range(num_read):
                next(stream)
            state = json.loads(json.dumps(stream.state_dict()))
        with client.stream("train") as stream:
            stream.load_state_dict(state)
            assert steps_of(stream) == whole[num_read:]
            assert stream.state_dict() == {**state, "step": 15}


def test_a_state_goes_on_with_another_number_of_ranks(target: str) -> None:
    with connect(target) as client, client.stream("train", global_batch_size=60) as whole:
        for _ in range(5):
            next(whole)
        parts = [client.stream("train", global_batch_size=60, rank=rank, ranks=3) for rank in range(3)]
        for part in parts:
            part.load_state_dict(whole.state_dict())
        for batch, *slices in zip(whole, *parts, strict=True):
            assert np.array_equal(batch.indices, np.concatenate([part.indices for part in slices]))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("fingerprint", "f" * 64, "the saved state has fingerprint 'ffff"),
        ("global_batch_size", 32, "the saved state has global_batch_size 32, this stream 64"),
        ("split", "test", "the saved state has split 'test', this stream 'train'"),
        ("step", 16, "the saved state must have a step in 0..15, got 16"),
        ("step", "3", "the saved state must have a step in 0..15, got '3'"),
    ],
)
def test_a_state_of_something_else_is_refused_and_the_stream_goes_on(
    target: str, field: str, value: object, words: str
) -> None:
    with connect(target) as client, client.stream("train") as stream:
        first = next(stream)
        with pytest.raises(UsageError) as caught:
            stream.load_state_dict({**stream.state_dict(), field: value})
        assert str(caught.value).startswith(words)
        assert next(stream).step == first.step + 1
