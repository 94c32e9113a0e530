"""The shorter way gives what the ordinary one gives, in pixels and in errors, or leaves the picture to it."""

import io
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from shared.images.decode import PictureError, decode_picture, decode_with_pillow, quiet_pillow
from shared.images.plain import decode_plain
from tests.shared.images.files import picture_file, pixels, saved

EXIF = Image.Exif()
EXIF[0x0112] = 6


def grey(form: str) -> bytes:
    return saved(Image.fromarray(pixels(seed=5)).convert("L"), form)


def with_chunk(name: bytes, body: bytes) -> bytes:
    """A PNG with a chunk before its pixels."""
    file, chunk = picture_file(), name + body
    return file[:33] + len(body).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + file[33:]


def cut_up(size: int) -> bytes:
    """A PNG whose pixels are in chunks of `size` bytes."""
    file = picture_file(150, 50)
    body = file[file.index(b"IDAT") + 4 : -16]
    parts = [b"IDAT" + body[start : start + size] for start in range(0, len(body), size)]
    chunks = ((len(part) - 4).to_bytes(4, "big") + part + zlib.crc32(part).to_bytes(4, "big") for part in parts)
    return file[:33] + b"".join(chunks) + file[-12:]


def filtered(image: NDArray[np.uint8], filters: list[int]) -> bytes:
    """A PNG with these filters, by the PNG specification, in its rows."""
    values = image.astype(np.int32)
    zero = np.zeros_like(values)
    left, above, corner = zero.copy(), zero.copy(), zero.copy()
    left[:, 1:], above[1:], corner[1:, 1:] = values[:, :-1], values[:-1], values[:-1, :-1]
    estimate = left + above - corner
    distances = np.abs(np.array([left, above, corner]) - estimate)
    paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
    guesses = zero, left, above, (left + above) >> 1, paeth
    rows = ((values - guesses[kind])[row].astype(np.uint8).tobytes() for row, kind in enumerate(filters))
    stream = zlib.compress(b"".join(bytes([kind]) + row for kind, row in zip(filters, rows, strict=True)))
    body = b"IDAT" + stream
    file = saved(Image.fromarray(image if image.shape[2] == 3 else image[..., 0]))
    return file[:33] + len(stream).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big") + file[-12:]


PLAIN = {
    "PNG": picture_file(),
    "PNG, grey": grey("PNG"),
    "PNG, in parts": cut_up(20),
    "PNG, 1x1": picture_file(1, 1),
    "JPEG": picture_file(form="JPEG"),
    "JPEG, grey": grey("JPEG"),
    "JPEG, 4:4:4": picture_file(form="JPEG", subsampling=0, quality=95),
    "JPEG, with restarts": picture_file(150, 90, "JPEG", restart_marker_blocks=2),
    "JPEG, 3x5": picture_file(3, 5, "JPEG"),
}
SPECIAL = {
    "PNG, palette": saved(Image.fromarray(pixels()).convert("P")),
    "PNG, RGBA": saved(Image.fromarray(pixels()).convert("RGBA")),
    "PNG, one bit": saved(Image.fromarray(pixels()).convert("1")),
    "PNG, transparent colour": with_chunk(b"tRNS", b"\0\1\0\2\0\3"),
    "PNG, Exif": picture_file(exif=EXIF.tobytes()),
    "PNG, text": with_chunk(b"tEXt", b"a\0b"),
    "JPEG, progressive": picture_file(form="JPEG", progressive=True),
    "JPEG, Exif": picture_file(form="JPEG", exif=EXIF.tobytes()),
    "JPEG, CMYK": saved(Image.fromarray(pixels()).convert("CMYK"), "JPEG"),
    "JPEG, a note": picture_file(form="JPEG", comment=b"note"),
    "JPEG, without its end": picture_file(form="JPEG")[:-2],
    "BMP": picture_file(form="BMP"),
    "nothing": b"",
}


def outcome(decode: Any, data: bytes) -> object:
    try:
        with quiet_pillow():
            image = decode(data)
    except PictureError as error:
        return error.problem, str(error)
    assert (image.dtype, image.flags.writeable) == (np.uint8, False)
    return image.shape, image.tobytes()


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_pictures_are_decoded_as_pillow_does(kind: str) -> None:
    image = decode_plain(PLAIN[kind])
    assert image is not None
    with Image.open(io.BytesIO(PLAIN[kind])) as opened:
        assert np.array_equal(image, np.asarray(opened.convert("RGB")))


@given(st.data(), st.integers(1, 70), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_png_of_any_filters_is_decoded_as_pillow_does(data: st.DataObject, width: int, depth: int, seed: int) -> None:
    filters = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=40))
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (len(filters), width, depth), np.uint8)
    file = filtered(image, filters)
    decoded = decode_plain(file)
    assert decoded is not None
    assert np.array_equal(decoded, np.broadcast_to(image, (*image.shape[:2], 3)))
    assert outcome(decode_picture, file) == outcome(decode_with_pillow, file)


@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0", "grey"]),
    st.integers(1, 100),
    st.booleans(),
)
def test_jpeg_of_any_subsampling_is_decoded_as_pillow_does(
    size: tuple[int, int], seed: int, kind: str, quality: int, is_noise: bool
) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(noise if is_noise else pixels(*size, seed))
    subsampling = {} if kind == "grey" else {"subsampling": kind}
    file = saved(image.convert("L") if kind == "grey" else image, "JPEG", quality=quality, **subsampling)
    assert decode_plain(file) is not None
    assert outcome(decode_picture, file) == outcome(decode_with_pillow, file)


@pytest.mark.parametrize("kind", SPECIAL)
def test_pictures_with_something_special_are_left_to_the_ordinary_way(kind: str) -> None:
    assert decode_plain(SPECIAL[kind]) is None


def test_large_pictures_are_left_to_the_ordinary_way() -> None:
    assert decode_plain(picture_file(1025, 1024)) is None
    assert decode_plain(picture_file(form="JPEG")[:-2] + bytes(2**22) + b"\xff\xd9") is None


@given(
    st.sampled_from(sorted(PLAIN | SPECIAL)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    st.none() | st.integers(0, 10**6),
)
@example("JPEG", [(2, 0xFF)], None)
def test_damage_gives_the_same_pixels_or_the_same_error(
    kind: str, changes: list[tuple[int, int]], size: int | None
) -> None:
    data = bytearray((PLAIN | SPECIAL)[kind])
    for place, value in changes if data else []:
        data[place % len(data)] = value
    damaged = bytes(data if size is None or not data else data[: size % len(data)])
    assert outcome(decode_picture, damaged) == outcome(decode_with_pillow, damaged)


@given(st.integers(0, 700), st.integers(0, 255))
def test_one_changed_byte_gives_the_same_pixels_or_the_same_error(place: int, value: int) -> None:
    for file in (PLAIN["PNG"], PLAIN["JPEG"], PLAIN["JPEG, grey"]):
        data = bytearray(file)
        data[place % len(data)] = value
        assert outcome(decode_picture, bytes(data)) == outcome(decode_with_pillow, bytes(data))
