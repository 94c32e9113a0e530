"""Values and their messages are each other's inverse, and what a message asks for is checked."""

import re
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rank_slice import Remainder
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import InvalidRequest
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Records
from shared.protocol.codec import Codec
from shared.protocol.messages import (
    codecs_of,
    dataset_message,
    dataset_of,
    request_message,
    request_of,
    samples_message,
    samples_of,
)
from shared.protocol.request import MAX_EPOCH, MAX_UINT64, StreamRequest
from tests.support.toys import TOY_COUNTS, TOY_FINGERPRINT, TOY_SPEC, ToySource, toy_samples

NUMBERS = st.integers(0, 2**64 - 1)
DATASET = Dataset(spec=TOY_SPEC, counts=TOY_COUNTS, fingerprint=TOY_FINGERPRINT)


@st.composite
def requests(draw: st.DrawFn) -> StreamRequest:
    """Any request of the toy data set that differs from its defaults in any field."""
    ranks = draw(st.integers(1, 50))
    slice_fields = {
        "ranks": ranks,
        "rank": draw(st.integers(0, ranks - 1)),
        "global_batch_size": ranks * draw(st.integers(1, 130 // ranks)),
        "remainder": draw(st.sampled_from(Remainder)),
    }
    whole = StreamRequest(
        dataset=DATASET,
        split=draw(st.sampled_from(sorted(TOY_COUNTS))),
        order_seed=draw(st.integers(0, MAX_UINT64)),
        shuffle=draw(st.booleans()),
        epoch=draw(st.integers(0, MAX_EPOCH)),
        codec=draw(st.sampled_from(Codec)),
        **slice_fields,
    )
    first = draw(st.integers(0, whole.steps.stop - 1))
    return whole.of_steps(range(first, draw(st.integers(first + 1, whole.steps.stop))))


@given(request=requests())
def test_a_request_and_its_message_are_each_others_inverse(request: StreamRequest) -> None:
    message = pb.StreamBatchesRequest.FromString(request_message(request).SerializeToString())
    assert request_of(message, DATASET, tuple(Codec)) == request
    assert (message.fingerprint, message.split_count) == (TOY_FINGERPRINT, TOY_COUNTS[request.split])


def test_every_field_of_a_request_is_in_its_message() -> None:
    in_message = {field.name for field in pb.StreamBatchesRequest.DESCRIPTOR.fields}
    assert in_message - {"fingerprint", "split_count"} == {field.name for field in fields(StreamRequest)} - {"dataset"}


def test_what_a_message_leaves_open_has_its_default() -> None:
    message = pb.StreamBatchesRequest(split="train", global_batch_size=64, ranks=1)
    expected = StreamRequest(dataset=DATASET, split="train", shuffle=False, codec=Codec.RAW, remainder=Remainder.DROP)
    assert request_of(message, DATASET, (Codec.RAW,)) == expected


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"remainder": 9}, "remainder must be one of [0, 1, 2], got 9"),
        ({"codec": 9}, "codec must be one of 2 (zstd), 3 (png), got 9"),
        ({"codec": 0}, "codec must be one of 2 (zstd), 3 (png), got 0"),
        ({"codec": 2, "ranks": 0}, "ranks must be in 1..65536, got 0"),
    ],
)
def test_what_is_out_of_bounds_is_named(wrong: dict[str, int], problem: str) -> None:
    message = pb.StreamBatchesRequest(**{"split": "train", "global_batch_size": 64, "ranks": 1, **wrong})  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=re.escape(problem)):
        request_of(message, DATASET, (Codec.ZSTD, Codec.PNG))


@given(seed=NUMBERS, width=st.integers(16, 1024), max_length=st.integers(1, 16), count=st.integers(1, 2**48))
def test_a_data_set_and_its_message_are_each_others_inverse(seed: int, width: int, max_length: int, count: int) -> None:
    spec = DatasetSpec(seed=seed, width=width, max_length=max_length, alphabet="abc")
    dataset = Dataset(spec=spec, counts={"one": count, "two": 1}, fingerprint=TOY_FINGERPRINT)
    message = dataset_message(dataset, (Codec.ZSTD, Codec.RAW), "toy")
    read = pb.GetDatasetResponse.FromString(message.SerializeToString())
    assert dataset_of(read) == dataset
    assert codecs_of(read) == (Codec.ZSTD, Codec.RAW)


def toy_records(indices: list[int], codec: Codec) -> Records:
    source = ToySource()
    try:
        return source.read("train", np.array(indices, np.uint64), codec).result()
    finally:
        source.close()


@pytest.mark.parametrize("codec", Codec)
def test_samples_and_their_message_are_each_others_inverse(codec: Codec) -> None:
    indices = [3, 3, 900]
    dataset = Dataset(spec=TOY_SPEC, fingerprint=TOY_FINGERPRINT)
    message = samples_message(indices, toy_records(indices, codec), dataset)
    assert message.fingerprint == TOY_FINGERPRINT
    samples = samples_of(message, codec, TOY_SPEC)
    assert [sample.index for sample in samples] == indices
    images, _ = toy_samples(TOY_SPEC, "train", np.array(indices, np.uint64))
    assert np.array_equal([sample.image for sample in samples], images)
