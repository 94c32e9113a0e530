"""Batches as bytes against the generated code, both ways, and against damage."""

from contextlib import suppress

import numpy as np
import pytest
import xxhash
from google.protobuf.internal import api_implementation
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.pb.captcha.v1 import dataset_pb2 as pb
from shared.protocol.batch import Batch, Records
from shared.protocol.batch_message import encode_batch, read_batch
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode
from shared.protocol.messages import CODECS
from tests.support.toys import TOY_SPEC, toy_samples

NUMBERS = st.integers(0, 2**64 - 1)
CODEC = st.sampled_from(Codec)


def records_of(indices: list[int], codec: Codec, split: str = "train") -> Records:
    images, labels = toy_samples(TOY_SPEC, split, np.array(indices, np.uint64))
    payloads = [encode(image, codec) for image in images]
    sizes = [] if codec is Codec.RAW else [len(payload) for payload in payloads]
    return Records(codec, payloads, np.array(sizes, np.uint32), labels)


def generated(indices: list[int], records: Records, epoch: int = 3, step: int = 7) -> pb.StreamBatchesResponse:
    """The same batch, made by the generated code as the proto describes it."""
    images = b"".join(records.payloads)
    little = b"".join(index.to_bytes(8, "little") for index in indices)
    sizes = b"".join(size.to_bytes(4, "little") for size in records.image_sizes.tolist())
    return pb.StreamBatchesResponse(
        epoch=epoch,
        step=step,
        codec=CODECS[records.codec],
        checksum=xxhash.xxh3_64_intdigest(little + records.labels.tobytes() + sizes + images),
        indices=indices,
        labels=records.labels.tobytes(),
        image_sizes=records.image_sizes.tolist(),
        images=images,
    )


def assert_same(batch: Batch, indices: list[int], epoch: int, step: int) -> None:
    images, labels = toy_samples(TOY_SPEC, "train", np.array(indices, np.uint64))
    assert (batch.epoch, batch.step, batch.indices.tolist()) == (epoch, step, indices)
    assert np.array_equal(batch.images, images)
    assert np.array_equal(batch.labels, labels)


@given(indices=st.lists(NUMBERS, max_size=5), epoch=NUMBERS, step=NUMBERS, codec=CODEC)
def test_generated_code_reads_what_encode_batch_writes(indices: list[int], epoch: int, step: int, codec: Codec) -> None:
    records = records_of(indices, codec)
    message = encode_batch(epoch, step, np.array(indices, np.uint64), records)
    assert pb.StreamBatchesResponse.FromString(message) == generated(indices, records, epoch, step)


@given(indices=st.lists(NUMBERS, max_size=5), epoch=NUMBERS, step=NUMBERS, codec=CODEC)
def test_read_batch_reads_what_generated_code_writes(indices: list[int], epoch: int, step: int, codec: Codec) -> None:
    message = generated(indices, records_of(indices, codec), epoch, step).SerializeToString()
    assert_same(read_batch(message, TOY_SPEC).decode(), indices, epoch, step)


@given(data=st.data(), codec=CODEC)
def test_read_batch_reads_fields_in_any_order_and_numbers_unpacked(data: st.DataObject, codec: Codec) -> None:
    message = generated([1, 2**63, 300], records_of([1, 2**63, 300], codec))
    parts = []
    for field, _ in message.ListFields():
        part = pb.StreamBatchesResponse()
        part.MergeFrom(message)
        for other, _ in message.ListFields():
            if other is not field:
                part.ClearField(other.name)
        parts.append(part.SerializeToString())
    unpacked = b"".join(b"\x28" + pb.Split(count=index).SerializeToString()[1:] for index in message.indices)
    parts = [unpacked if part[0] == 0x2A else part for part in parts]
    shuffled = data.draw(st.permutations(parts))
    assert_same(read_batch(b"".join(shuffled), TOY_SPEC).decode(), [1, 2**63, 300], 3, 7)


def test_fields_of_a_later_contract_are_passed_over() -> None:
    message = generated([5], records_of([5], Codec.RAW)).SerializeToString()
    later = b"\xa2\x06\x03abc" + b"\xa9\x06" + b"\xff" * 8 + b"\xb5\x06" + b"\xff" * 4
    assert_same(read_batch(later + message, TOY_SPEC).decode(), [5], 3, 7)
    assert_same(read_batch(message + later, TOY_SPEC).decode(), [5], 3, 7)


def test_raw_images_are_a_view_of_the_message() -> None:
    message = generated([5, 6], records_of([5, 6], Codec.RAW)).SerializeToString()
    images = read_batch(message, TOY_SPEC).decode().images
    assert np.shares_memory(images, np.frombuffer(message, np.uint8))
    assert not images.flags.writeable


@pytest.mark.parametrize("codec", Codec)
def test_a_flipped_bit_anywhere_is_data_loss_or_changes_nothing_checked(codec: Codec) -> None:
    message = encode_batch(1, 2, np.array([5, 6], np.uint64), records_of([5, 6], codec))
    images, labels = toy_samples(TOY_SPEC, "train", np.array([5, 6], np.uint64))
    for bit in range(0, 8 * len(message), 5):
        damaged = bytearray(message)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            batch = read_batch(bytes(damaged), TOY_SPEC).decode()
        except DataLoss:
            continue
        assert batch.indices.tolist() == [5, 6]
        assert np.array_equal(batch.images, images)
        assert np.array_equal(batch.labels, labels)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_batch_or_data_loss(data: bytes) -> None:
    with suppress(DataLoss):
        read_batch(data, TOY_SPEC).decode()


@given(cut=st.integers(0, 2**16))
def test_a_message_cut_short_is_data_loss(cut: int) -> None:
    message = encode_batch(1, 2, np.array([5, 6], np.uint64), records_of([5, 6], Codec.RAW))
    with pytest.raises(DataLoss):
        read_batch(message[: cut % len(message)] or b"\x08", TOY_SPEC).decode()


def test_another_spec_makes_of_the_same_bytes_data_loss() -> None:
    message = encode_batch(1, 2, np.array([5, 6], np.uint64), records_of([5, 6], Codec.RAW))
    for spec in (DatasetSpec(width=25, height=16), DatasetSpec(width=24, height=16, max_length=3)):
        with pytest.raises(DataLoss):
            read_batch(message, spec).decode()


def test_messages_are_parsed_by_protobufs_quick_implementation() -> None:
    assert api_implementation.Type() == "upb"
