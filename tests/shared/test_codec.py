import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.codec import Codec, decode, encode
from shared.errors import DataLoss

SHAPE = (24, 40, 3)


@pytest.mark.parametrize("codec", Codec)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), max_size=4))
def test_decoding_undoes_encoding(codec: Codec, seeds: list[int]) -> None:
    images = [np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8) for seed in seeds]
    decoded = decode([encode(image, codec) for image in images], codec, SHAPE)
    assert np.array_equal(decoded, np.array(images, np.uint8).reshape(-1, *SHAPE))


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("shape", [(23, 40, 3), (25, 40, 3)], ids=["shorter", "longer"])
def test_an_image_of_another_size_is_refused_by_its_number(codec: Codec, shape: tuple[int, int, int]) -> None:
    records = [encode(np.zeros(one, np.uint8), codec) for one in (SHAPE, shape)]
    with pytest.raises(DataLoss, match=f"record 1 of 2 is not a {codec.value} image: expected"):
        decode(records, codec, SHAPE)


def test_a_frame_that_claims_a_quarter_of_a_gigabyte_gets_no_memory() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(2**28))
    tracemalloc.start()
    try:
        with pytest.raises(DataLoss, match="expected 2880 bytes, got more"):
            decode([bomb], Codec.ZSTD, SHAPE)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_frame_that_does_not_tell_its_size_is_read() -> None:
    image = np.arange(2880, dtype=np.uint8).reshape(SHAPE)
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(image.tobytes())
    assert np.array_equal(decode([frame], Codec.ZSTD, SHAPE)[0], image)
