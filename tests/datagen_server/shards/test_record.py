import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen_server.shards.record import (
    DIGEST_MODULUS,
    content_of,
    digested,
    is_intact,
    layout_of,
    max_payload_bytes,
    record_key,
    sample_digest,
)
from shared.dataset.spec import DatasetSpec
from shared.protocol.codec import Codec
from shared.protocol.image_codec import encode

KEY = record_key("ab" * 32, "train")
LAYOUT = layout_of(DatasetSpec())
HEADER_BYTES = LAYOUT.header_bytes
LABEL = LAYOUT.stored([1, 2, 10, 10])

keys = st.integers(0, 2**64 - 1)
indices = st.integers(0, 2**48 - 1)
codecs = st.sampled_from(Codec)
payloads = st.binary(min_size=1, max_size=300)


def pack(key: int, index: int, codec: Codec, payload: bytes) -> bytes:
    return LAYOUT.header(key, index, codec, LABEL, payload) + payload


def intact(record: bytes, key: int, index: int, codec: Codec) -> bool:
    view = memoryview(record)
    return is_intact(key, index, codec, view[:HEADER_BYTES], view[HEADER_BYTES:])


@given(keys, indices, codecs, payloads)
def test_a_packed_record_is_intact(key: int, index: int, codec: Codec, payload: bytes) -> None:
    record = pack(key, index, codec, payload)
    assert len(record) == HEADER_BYTES + len(payload)
    assert intact(record, key, index, codec)


@given(payloads, st.data())
def test_a_record_with_any_changed_byte_is_not_intact(payload: bytes, data: st.DataObject) -> None:
    record = bytearray(pack(KEY, 7, Codec.RAW, payload))
    record[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))
    assert not intact(bytes(record), KEY, 7, Codec.RAW)


@given(payloads, st.integers(1, 300))
def test_a_record_that_is_cut_off_is_not_intact(payload: bytes, num_lost: int) -> None:
    record = pack(KEY, 7, Codec.RAW, payload)
    assert not intact(record[: max(HEADER_BYTES, len(record) - num_lost)], KEY, 7, Codec.RAW)


@given(payloads)
def test_a_record_is_intact_only_where_it_belongs(payload: bytes) -> None:
    record = pack(KEY, 7, Codec.RAW, payload)
    assert not intact(record, KEY, 8, Codec.RAW)
    assert not intact(record, KEY, 7, Codec.ZSTD)
    assert not intact(record, record_key("ab" * 32, "test"), 7, Codec.RAW)
    assert not intact(record, record_key("cd" * 32, "train"), 7, Codec.RAW)


def test_no_codec_makes_an_image_larger_than_the_bound() -> None:
    noise = np.random.default_rng(0)
    for width, height in ((16, 16), (160, 64), (1024, 1024)):
        image = noise.integers(0, 256, (height, width, 3), np.uint8)
        bound = max_payload_bytes(DatasetSpec(width=width, height=height))
        assert all(len(encode(image, codec)) <= bound for codec in Codec)


def test_the_digest_of_a_sample_tells_split_index_label_and_pixels_apart() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    other_image, other_label = image.copy(), b"\x09" + LABEL[1:]
    other_image[3, 4, 1] = 9
    digests = {
        sample_digest("train", 1, LABEL, image.data),
        sample_digest("test", 1, LABEL, image.data),
        sample_digest("train", 2, LABEL, image.data),
        sample_digest("train", 1, other_label, image.data),
        sample_digest("train", 1, LABEL, other_image.data),
    }
    assert len(digests) == 5
    assert max(digests) < DIGEST_MODULUS


def test_the_digest_of_an_imported_sample_is_made_of_that_of_its_pixels() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    rendered, imported = DatasetSpec(width=16, height=16), DatasetSpec(width=16, height=16, styles=())
    assert bytes(digested(rendered, image)) == image.tobytes()
    assert digested(imported, image) == content_of(image)
    assert content_of(image) != content_of(np.zeros((32, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("num_characters", "max_length", "num_bytes"),
    [(10, 4, 40), (254, 16, 40), (255, 16, 88), (10, 17, 88), (8192, 32, 88)],
)
def test_labels_are_stored_in_the_fewest_bytes(num_characters: int, max_length: int, num_bytes: int) -> None:
    alphabet = "".join(map(chr, range(0x4E00, 0x4E00 + num_characters)))
    spec = DatasetSpec(alphabet=alphabet, max_length=max_length)
    layout = layout_of(spec)
    assert layout.header_bytes == num_bytes
    label = np.full(max_length, spec.blank, np.uint16)
    label[0] = num_characters - 1
    header = layout.header(KEY, 7, Codec.RAW, layout.stored(label.tolist()), b"payload")
    assert len(header) == num_bytes
    assert is_intact(KEY, 7, Codec.RAW, memoryview(header), memoryview(b"payload"))
    assert np.array_equal(layout.labels(np.frombuffer(header, np.uint8)[None], max_length)[0], label)
    assert layout.stored_label(header + b"payload", max_length) == layout.stored(label.tolist())
