"""The contract of sources, as a suite: subclass `SourceContract` and give it a fixture `open_source`."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.sources.sample_source import SampleSource
from shared.dataset.spec import DatasetSpec
from shared.errors import StreamingError
from shared.protocol.batch import Records, text_of
from shared.protocol.codec import Codec
from shared.protocol.image_codec import decode

SPEC = DatasetSpec(seed=11, width=96, height=40, alphabet="0123456789abcdef", min_length=2, max_length=5)
COUNTS = {"train": 203, "test": 37}
TIMEOUT_S = 60
_RENDERER = CaptchaRenderer(SPEC)

OpenSource = Callable[[], SampleSource]


def indices_of(*indices: int) -> NDArray[np.uint64]:
    return np.array(indices, np.uint64)


def read(source: SampleSource, split: str, indices: NDArray[np.uint64], codec: Codec = Codec.RAW) -> Records:
    return source.read(split, indices, codec).result(TIMEOUT_S)


def pixels_of(records: Records) -> NDArray[np.uint8]:
    """uint8 [n, height, width, 3], whatever the codec."""
    joined = b"".join(records.payloads)
    sizes = [SPEC.image_bytes] * len(records.labels) if records.codec is Codec.RAW else records.image_sizes.tolist()
    ends = np.cumsum(sizes, dtype=int).tolist()
    assert len(joined) == sum(sizes)
    images = [joined[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return decode(images, records.codec, SPEC.image_shape)


def assert_are_the_samples(records: Records, split: str, indices: NDArray[np.uint64]) -> None:
    expected = [_RENDERER.render(split, int(index)) for index in indices]
    pixels = pixels_of(records)
    assert len(pixels) == len(expected)
    for image, label, (expected_image, text) in zip(pixels, records.labels, expected, strict=True):
        assert np.array_equal(image, expected_image)
        assert text_of(label, SPEC.alphabet) == text
        assert (label[len(text) :] == SPEC.blank).all()


class SourceContract:
    """What holds for every source of SPEC and COUNTS.

    `open_source` is a class-scoped fixture: a function that opens the source anew each time it is called.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, open_source: OpenSource) -> Iterator[SampleSource]:
        source = open_source()
        yield source
        source.close()

    def test_it_says_what_it_serves(self, source: SampleSource) -> None:
        assert source.dataset.spec == SPEC
        assert source.dataset.counts == COUNTS
        assert source.dataset.fingerprint == fingerprint(SPEC)
        assert source.kind

    def test_an_intact_source_counts_no_damage(self, source: SampleSource) -> None:
        read(source, "train", indices_of(1, 2, 3))
        assert not source.damage.healed
        assert not source.damage.refused

    def test_it_offers_each_codec_once(self, source: SampleSource) -> None:
        assert len(set(source.codecs)) == len(source.codecs) > 0

    @pytest.mark.parametrize("split", COUNTS)
    def test_every_codec_gives_the_samples_of_the_function(self, source: SampleSource, split: str) -> None:
        indices = np.random.default_rng(5).permutation(COUNTS[split]).astype(np.uint64)
        for codec in source.codecs:
            records = read(source, split, indices, codec)
            assert records.codec is codec
            assert_are_the_samples(records, split, indices)

    def test_labels_and_sizes_have_the_types_of_the_contract(self, source: SampleSource) -> None:
        for codec in source.codecs:
            records = read(source, "train", indices_of(0, 1, 2), codec)
            assert records.labels.dtype == np.uint16
            assert records.labels.shape == (3, SPEC.max_length)
            assert records.image_sizes.dtype == np.uint32
            assert len(records.image_sizes) == (0 if codec is Codec.RAW else 3)

    def test_a_sample_is_the_same_alone_and_in_company(self, source: SampleSource) -> None:
        for codec in source.codecs:
            alone = b"".join(read(source, "test", indices_of(17), codec).payloads)
            company = read(source, "test", indices_of(3, 17, 36), codec)
            joined = b"".join(company.payloads)
            start, size = (
                (len(alone), len(alone)) if codec is Codec.RAW else (company.image_sizes[0], company.image_sizes[1])
            )
            assert joined[start : start + size] == alone

    def test_an_index_may_be_read_twice(self, source: SampleSource) -> None:
        indices = indices_of(5, 5, 202, 5)
        assert_are_the_samples(read(source, "train", indices), "train", indices)

    def test_no_indices_give_no_records(self, source: SampleSource) -> None:
        for codec in source.codecs:
            records = read(source, "train", indices_of(), codec)
            assert b"".join(records.payloads) == b""
            assert len(records.image_sizes) == 0
            assert records.labels.shape == (0, SPEC.max_length)

    def test_many_threads_may_read_at_once(self, source: SampleSource) -> None:
        def check(seed: int) -> None:
            random = np.random.default_rng(seed)
            split = ("train", "test")[seed % 2]
            indices = random.integers(0, COUNTS[split], random.integers(1, 40)).astype(np.uint64)
            assert_are_the_samples(
                read(source, split, indices, source.codecs[seed % len(source.codecs)]), split, indices
            )

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(check, range(24)))

    def test_two_sources_give_the_same_bytes(self, source: SampleSource, open_source: OpenSource) -> None:
        indices = indices_of(*range(30))
        other = open_source()
        try:
            for codec in source.codecs:
                first, second = (read(each, "train", indices, codec) for each in (source, other))
                assert b"".join(first.payloads) == b"".join(second.payloads)
        finally:
            other.close()

    def test_reads_fail_by_name_once_it_is_closed(self, open_source: OpenSource) -> None:
        source = open_source()
        source.close()
        with pytest.raises(StreamingError):
            read(source, "train", indices_of(1))
        source.close()
