import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataLoss
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, decode_joined, encode

SHAPE = (24, 40, 3)


@pytest.mark.parametrize("codec", Codec)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), max_size=4))
def test_decoding_undoes_encoding(codec: Codec, seeds: list[int]) -> None:
    images = [np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8) for seed in seeds]
    decoded = decode([encode(image, codec) for image in images], codec, SHAPE)
    assert np.array_equal(decoded, np.array(images, np.uint8).reshape(-1, *SHAPE))


@pytest.mark.parametrize("codec", Codec)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), max_size=4))
def test_decoding_joined_images_gives_the_same(codec: Codec, seeds: list[int]) -> None:
    records = [encode(np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8), codec) for seed in seeds]
    joined = decode_joined(memoryview(b"".join(records)), [len(record) for record in records], codec, SHAPE)
    assert np.array_equal(joined, decode(records, codec, SHAPE))


def test_joined_frames_need_not_tell_their_size_and_may_be_followed_by_other_bytes() -> None:
    image = np.arange(2880, dtype=np.uint8).reshape(SHAPE)
    untold = zstandard.ZstdCompressor(write_content_size=False).compress(image.tobytes())
    for one in (untold, encode(image, Codec.ZSTD) + b"more"):
        frames = [encode(image, Codec.ZSTD), one]
        joined = decode_joined(memoryview(b"".join(frames)), [len(frame) for frame in frames], Codec.ZSTD, SHAPE)
        assert np.array_equal(joined, [image, image])


def test_of_joined_frames_the_bad_one_is_named() -> None:
    good = encode(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8), Codec.ZSTD)
    half = encode(np.zeros((12, 40, 3), np.uint8), Codec.ZSTD)
    double = encode(np.zeros((48, 40, 3), np.uint8), Codec.ZSTD)
    for bad in (b"", b"no frame", good[:-1], good[:9] + b"12345678", half, half + half, double):
        for frames in ([good, bad, good], [good, bad], [half, bad, double]):
            number = 0 if frames[0] is half else 1
            with pytest.raises(DataLoss, match=f"record {number} of {len(frames)} is not a zstd image"):
                decode_joined(memoryview(b"".join(frames)), [len(frame) for frame in frames], Codec.ZSTD, SHAPE)


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("shape", [(23, 40, 3), (25, 40, 3)], ids=["shorter", "longer"])
def test_an_image_of_another_size_is_refused_by_its_number(codec: Codec, shape: tuple[int, int, int]) -> None:
    records = [encode(np.zeros(one, np.uint8), codec) for one in (SHAPE, shape)]
    with pytest.raises(DataLoss, match=r"record 1 of 2 .*\bexpected"):
        decode(records, codec, SHAPE)


def test_a_frame_that_claims_a_petabyte_is_not_believed() -> None:
    # Magic number; one segment, 8 bytes of content size; an empty last block (RFC 8878, 3.1.1).
    frame = bytes.fromhex("28b52ffd e0") + (2**50).to_bytes(8, "little") + bytes.fromhex("010000")
    with pytest.raises(DataLoss, match="record 0 of 1"):
        decode([frame], Codec.ZSTD, SHAPE)


@pytest.mark.parametrize("write_content_size", [True, False])
@pytest.mark.parametrize("size", [0, 2879, 2881, 10**6])
def test_a_frame_of_other_pixels_than_the_image_has_is_refused(size: int, write_content_size: bool) -> None:
    frame = zstandard.ZstdCompressor(write_content_size=write_content_size).compress(bytes(size))
    with pytest.raises(DataLoss, match="record 0 of 1"):
        decode([frame], Codec.ZSTD, SHAPE)


def test_a_frame_that_is_cut_off_is_refused() -> None:
    frame = encode(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8), Codec.ZSTD)
    for end in range(len(frame)):
        with pytest.raises(DataLoss, match="record 0 of 1"):
            decode([frame[:end]], Codec.ZSTD, SHAPE)


def test_a_frame_that_does_not_tell_its_size_is_read() -> None:
    image = np.arange(2880, dtype=np.uint8).reshape(SHAPE)
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(image.tobytes())
    assert np.array_equal(decode([frame], Codec.ZSTD, SHAPE)[0], image)
