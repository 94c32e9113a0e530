import io
import os
from collections.abc import Mapping
from pathlib import Path

import lmdb
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datagen_server.exporting.export import export
from datagen_server.sources.ocr_lmdb_source import OcrLmdbSource
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.seeding import Draws
from shared.errors import DataLoss, UsageError
from shared.protocol.batch import text_of
from shared.protocol.codec import Codec, decode
from tests.datagen_server.shards.building import COUNTS, SMALL, assert_rendered, change_byte, images_of


def picture(width: int = 40, height: int = 20, form: str = "PNG", mode: str = "RGB", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGB"))


def write(directory: Path, samples: list[tuple[bytes, str]], extra: Mapping[bytes, bytes] | None = None) -> Path:
    """An OCR LMDB as people make them: with lock file, in one transaction."""
    directory.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(directory), map_size=2**27, lib_version=0) as env, env.begin(write=True) as transaction:
        for number, (image, text) in enumerate(samples, start=1):
            transaction.put(b"image-%09d" % number, image)
            transaction.put(b"label-%09d" % number, text.encode())
        transaction.put(b"num-samples", str(len(samples)).encode())
        for key, value in (extra or {}).items():
            transaction.put(key, value)
    return directory


OWN = [(picture(seed=1), "abc"), (picture(form="JPEG", seed=2), "b"), (picture(mode="L", seed=3), "ca")]


def test_exported_samples_come_back_as_they_were(pristine: Path, tmp_path: Path) -> None:
    export(ShardSource(pristine), tmp_path / "ocr", "ocr-lmdb", ())
    source = OcrLmdbSource(tmp_path / "ocr")
    assert source.dataset.counts == COUNTS
    assert source.dataset.spec.alphabet == SMALL.alphabet
    for split, count in COUNTS.items():
        for codec in source.codecs:
            records = source.read(split, np.arange(count, dtype=np.uint64), codec).result()
            assert_rendered(records, SMALL, split, *range(count))
    source.close()


def test_peoples_own_pictures_are_served_in_every_codec(tmp_path: Path) -> None:
    source = OcrLmdbSource(write(tmp_path / "own", OWN))
    spec = source.dataset.spec
    assert dict(source.dataset.counts) == {"train": 3}
    assert (spec.width, spec.height, spec.alphabet, spec.min_length, spec.max_length) == (40, 20, "abc", 1, 3)
    for codec in source.codecs:
        records = source.read("train", np.array([2, 0, 1], np.uint64), codec).result()
        assert [text_of(label, "abc") for label in records.labels] == ["ca", "abc", "b"]
        for image, number in zip(images_of(records, spec), (2, 0, 1), strict=True):
            assert np.array_equal(image, pixels_of(OWN[number][0]))


def test_the_dictionary_gives_the_order_of_the_classes(tmp_path: Path) -> None:
    write(tmp_path / "train", OWN)
    (tmp_path / "dict.txt").write_text("c\nb\na\nz\n")
    source = OcrLmdbSource(tmp_path)
    assert source.dataset.spec.alphabet == "cbaz"
    (tmp_path / "dict.txt").write_text("c\nb\n")
    with pytest.raises(UsageError, match="lacks 'a', which occurs in the labels"):
        OcrLmdbSource(tmp_path)


def test_the_fingerprint_belongs_to_the_samples(tmp_path: Path) -> None:
    fingerprints = {
        OcrLmdbSource(write(tmp_path / "one", OWN)).dataset.fingerprint,
        OcrLmdbSource(write(tmp_path / "two", [*OWN[:2], (picture(seed=9), "ca")])).dataset.fingerprint,
    }
    assert len(fingerprints) == 2
    assert OcrLmdbSource(tmp_path / "one").dataset.fingerprint in fingerprints


def test_many_labels_are_read_in_order(tmp_path: Path) -> None:
    samples = [(OWN[0][0], "abc"[number % 3]) for number in range(1200)]
    source = OcrLmdbSource(write(tmp_path, samples))
    labels = source.read("train", np.array([0, 599, 1199], np.uint64), Codec.RAW).result().labels
    assert [text_of(label, "abc") for label in labels] == ["a", "c", "c"]


@pytest.mark.parametrize(
    ("samples", "extra", "words"),
    [
        ([], {}, "says that it has 0 samples"),
        (OWN, {b"num-samples": b"many"}, "is not an OCR LMDB"),
        (OWN, {b"num-samples": b"4"}, "label-000000004 is missing"),
        (OWN, {b"label-000000002": b""}, "label-000000002 is empty"),
        (OWN, {b"label-000000002": "é".encode()}, "label-000000002 must be ASCII"),
        (OWN, {b"label-000000002": b"a" * 33}, "max_length must be an integer in 1..32, got 33"),
        (OWN, {b"image-000000001": b"GIF89a?"}, "image-000000001 cannot be used as an image"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(
    tmp_path: Path, samples: list[tuple[bytes, str]], extra: dict[bytes, bytes], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        OcrLmdbSource(write(tmp_path, samples, extra))


def test_a_directory_without_an_ocr_lmdb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no data.mdb"):
        OcrLmdbSource(tmp_path)
    (tmp_path / "data.mdb").write_bytes(b"something else")
    with pytest.raises(UsageError, match="not an LMDB file"):
        OcrLmdbSource(tmp_path)


@pytest.mark.parametrize(
    ("image", "words"),
    [(picture(41, 20), "it has 41x20 pixels, not 40x20"), (OWN[0][0][:300], "cannot be used as an image")],
)
def test_a_sample_that_cannot_be_had_is_data_loss_by_name(tmp_path: Path, image: bytes, words: str) -> None:
    source = OcrLmdbSource(write(tmp_path, OWN, {b"image-000000003": image}))
    with pytest.raises(DataLoss, match=f"image-000000003 .*{words}|image-000000003 cannot .*{words}|{words}"):
        source.read("train", np.array([0, 2], np.uint64), Codec.RAW).result()
    source.read("train", np.array([0, 1], np.uint64), Codec.RAW).result()


def test_damage_and_truncation_never_end_the_process(tmp_path: Path) -> None:
    source = OcrLmdbSource(write(tmp_path, OWN))
    data, draws = tmp_path / "data.mdb", Draws(3)
    for size in (data.stat().st_size, 4096 * 3, 4096, 0):
        os.truncate(data, size)
        for _ in range(40):
            if size:
                change_byte(data, draws.randbelow(size))
            for index in range(3):
                future = source.read("train", np.array([index], np.uint64), Codec.PNG)
                if not (error := future.exception()):
                    decode(future.result().payloads, Codec.PNG, source.dataset.spec.image_shape)
                assert error is None or isinstance(error, DataLoss)
