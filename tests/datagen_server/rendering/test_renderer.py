import platform
import random
import string
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec
from tests.datagen_server.stock import StockRenderer

PRINTABLE = string.digits + string.ascii_letters + string.punctuation
SPECS = {
    "default": DatasetSpec(),
    "every character": DatasetSpec(seed=3, alphabet=PRINTABLE, width=240, max_length=6),
    "too long for its width": DatasetSpec(seed=2**64 - 1, width=100, height=48, min_length=6, max_length=16),
    "tiny": DatasetSpec(width=16, height=16, alphabet="_w|.", max_length=3),
    "large": DatasetSpec(width=400, height=300, alphabet="AbgjQ", min_length=5, max_length=5),
}


def assert_equals_the_library(spec: DatasetSpec, indices: Sequence[int]) -> None:
    ours, library = CaptchaRenderer(spec), StockRenderer(spec)
    for index in indices:
        (pixels, text), (expected, expected_text) = ours.render("train", index), library.render("train", index)
        assert text == expected_text
        assert np.array_equal(pixels, expected), f"sample {index} of {spec}"


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_pictures_are_the_librarys_pixel_for_pixel(spec: DatasetSpec) -> None:
    assert_equals_the_library(spec, range(300 if spec == DatasetSpec() else 80))


@st.composite
def specs(draw: st.DrawFn) -> DatasetSpec:
    max_length = draw(st.integers(1, 16))
    return DatasetSpec(
        seed=draw(st.integers(0, 2**64 - 1)),
        width=draw(st.integers(16, 300)),
        height=draw(st.integers(16, 150)),
        alphabet="".join(draw(st.lists(st.sampled_from(PRINTABLE), min_size=2, max_size=8, unique=True))),
        min_length=draw(st.integers(1, max_length)),
        max_length=max_length,
    )


@settings(max_examples=60)
@given(specs(), st.integers(0, 2**48 - 1))
def test_pictures_are_the_librarys_for_any_spec(spec: DatasetSpec, index: int) -> None:
    assert_equals_the_library(spec, [index])


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_pictures_are_the_librarys_over_many_samples(spec: DatasetSpec) -> None:
    num_samples = 20_000 if spec == DatasetSpec() else 3_000
    assert_equals_the_library(spec, range(num_samples))
    print(f"{num_samples} pictures of {spec.width}x{spec.height}: every pixel the library's")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines may round floating point otherwise")
@pytest.mark.parametrize(
    ("spec", "index", "text", "digest"),
    [
        (SPECS["default"], 0, "6", "4091f6fd3955009a933a1a8909cdcfdb11144792af2b37c8c06cf5f5d1f92281"),
        (SPECS["default"], 49_999, "378", "3265377a1a38af2f4ee345cbef7616476366051995eebd172f6f567f726ba773"),
        (SPECS["every character"], 1, "L8", "4571b7b1343e78a902add61bea64c9d913575154cba206ffaf79cc6d74932260"),
        (
            SPECS["too long for its width"],
            2**48 - 1,
            "86902606957694",
            "224996e7613897ce8cbffbed25495b222f470778b1e1d34c867586296d196c73",
        ),
    ],
)
def test_a_sample_is_the_same_for_ever(spec: DatasetSpec, index: int, text: str, digest: str) -> None:
    pixels, rendered_text = CaptchaRenderer(spec).render("train", index)
    assert (rendered_text, sha256(pixels.data).hexdigest()) == (text, digest)


def test_threads_that_share_a_renderer_get_the_same_pictures() -> None:
    renderer = CaptchaRenderer(DatasetSpec())
    expected = [renderer.render("test", index)[0].tobytes() for index in range(40)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            rendered = threads.map(lambda index: renderer.render("test", index)[0].tobytes(), range(40))
            assert list(rendered) == expected


def test_the_state_of_other_random_sources_is_neither_used_nor_changed() -> None:
    renderer = CaptchaRenderer(DatasetSpec())
    expected = renderer.render("train", 5)[0]
    random.seed(1)
    before = random.getstate()
    assert np.array_equal(renderer.render("train", 5)[0], expected)
    assert random.getstate() == before


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_picture_has_the_specs_shape_and_type(spec: DatasetSpec) -> None:
    pixels, _ = CaptchaRenderer(spec).render("train", 0)
    assert pixels.shape == spec.image_shape
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_texts_use_the_whole_alphabet_and_every_length(spec: DatasetSpec) -> None:
    renderer = CaptchaRenderer(spec)
    texts = [renderer.text("train", index) for index in range(2_000)]
    assert {len(text) for text in texts} == set(range(spec.min_length, spec.max_length + 1))
    assert set("".join(texts)) == set(spec.alphabet)


def test_a_text_is_that_of_the_picture() -> None:
    renderer = CaptchaRenderer(DatasetSpec())
    for index in range(50):
        assert renderer.text("test", index) == renderer.render("test", index)[1]


def test_seeds_splits_and_indices_give_different_pictures() -> None:
    addresses = [(seed, split, index) for seed in (1, 2) for split in ("train", "test") for index in (1, 2)]
    renderers = {seed: CaptchaRenderer(DatasetSpec(seed=seed)) for seed in (1, 2)}
    pictures = {renderers[seed].render(split, index)[0].tobytes() for seed, split, index in addresses}
    assert len(pictures) == len(addresses)
