import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataLoss
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode, encode

SHAPE = (24, 40, 3)


@pytest.mark.parametrize("codec", Codec)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), max_size=4))
def test_decoding_undoes_encoding(codec: Codec, seeds: list[int]) -> None:
    images = [np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8) for seed in seeds]
    decoded = decode([encode(image, codec) for image in images], codec, SHAPE)
    assert np.array_equal(decoded, np.array(images, np.uint8).reshape(-1, *SHAPE))


@pytest.mark.parametrize(
    ("codec", "message"), [(Codec.RAW, "record 1 of 2"), (Codec.ZSTD, "item 1"), (Codec.PNG, "record 1 of 2")]
)
@pytest.mark.parametrize("shape", [(23, 40, 3), (25, 40, 3)], ids=["shorter", "longer"])
def test_an_image_of_another_size_is_refused_by_its_number(
    codec: Codec, message: str, shape: tuple[int, int, int]
) -> None:
    records = [encode(np.zeros(one, np.uint8), codec) for one in (SHAPE, shape)]
    with pytest.raises(DataLoss, match=rf"{message}.*\bexpected"):
        decode(records, codec, SHAPE)


def test_a_frame_that_claims_a_petabyte_is_not_believed() -> None:
    # Magic number; one segment, 8 bytes of content size; an empty last block (RFC 8878, 3.1.1).
    frame = bytes.fromhex("28b52ffd e0") + (2**50).to_bytes(8, "little") + bytes.fromhex("010000")
    with pytest.raises(DataLoss, match="item 0"):
        decode([frame], Codec.ZSTD, SHAPE)


def test_a_frame_that_does_not_tell_its_size_is_read() -> None:
    image = np.arange(2880, dtype=np.uint8).reshape(SHAPE)
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(image.tobytes())
    assert np.array_equal(decode([frame], Codec.ZSTD, SHAPE)[0], image)
