import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shared.errors import UsageError
from shared.images.decode import (
    MAX_FILE_BYTES,
    PictureError,
    PictureProblem,
    colour_of,
    decode_picture,
    format_of,
    read_picture,
)
from tests.shared.images.files import picture_file, pixels, saved

BLACK_ON_CLEAR = np.zeros((20, 40, 4), np.uint8)
BLACK_ON_CLEAR[5:15, 10:30, 3] = 255
DIGIT = BLACK_ON_CLEAR[..., 3] == 255


def problem_of(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode_picture(data)
    return caught.value


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP"])
def test_lossless_formats_give_the_very_pixels(form: str) -> None:
    data = picture_file(form=form, seed=3, **({"lossless": True} if form == "WEBP" else {}))
    assert format_of(data) == form
    assert np.array_equal(decode_picture(data), pixels(seed=3))


@pytest.mark.parametrize("form", ["JPEG", "GIF"])
def test_lossy_formats_give_what_pillow_gives(form: str) -> None:
    data = picture_file(form=form)
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(decode_picture(data), np.asarray(opened.convert("RGB")))


def test_transparency_is_laid_on_the_ground_in_every_mode() -> None:
    colour = Image.fromarray(BLACK_ON_CLEAR)
    palette = Image.fromarray(np.where(DIGIT, 0, 1).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 0, 0, 0])
    files = {
        "RGBA": saved(colour),
        "LA": saved(colour.convert("LA")),
        "palette": saved(palette, transparency=1),
        "palette of a GIF": saved(palette, "GIF", transparency=1),
        "WebP": saved(colour, "WEBP", lossless=True, exact=True),
    }
    for name, data in files.items():
        for ground in ((255, 255, 255), (0x20, 0x40, 0x60)):
            image = decode_picture(data, ground)
            assert (image[DIGIT] == 0).all(), name
            assert (image[~DIGIT] == ground).all(), name


def test_sixteen_bit_grey_is_scaled_and_not_cut() -> None:
    ramp = np.linspace(0, 65535, 40).astype(np.uint16)[None].repeat(20, axis=0)
    image = decode_picture(saved(Image.fromarray(ramp)))
    assert np.array_equal(image[..., 0], ramp >> 8)
    assert np.array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_modes_give_what_pillow_converts_them_to(mode: str) -> None:
    converted = Image.fromarray(pixels()).convert(mode)
    data = saved(converted, "JPEG" if mode == "CMYK" else "PNG")
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(decode_picture(data), np.asarray(opened.convert("RGB")))


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_rotation_of_exif_is_done(form: str, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
    upright = decode_picture(picture_file(form=form, **options))
    turned = decode_picture(picture_file(form=form, exif=exif.tobytes(), **options))
    assert np.array_equal(turned, np.rot90(upright, turns))


def test_damaged_exif_does_not_cost_the_picture() -> None:
    data = picture_file(exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert np.array_equal(decode_picture(data), pixels())


def test_a_gif_gives_its_first_frame() -> None:
    frames = [Image.fromarray(pixels(seed=seed)).convert("P") for seed in (1, 2)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode_picture(data), np.asarray(frames[0].convert("RGB")))


def test_a_jpeg_that_lacks_only_its_end_marker_is_taken() -> None:
    for seed in range(20):
        data = picture_file(150, 50, "JPEG", seed=seed)
        for cut in (1, 2):
            assert np.array_equal(decode_picture(data[:-cut]), decode_picture(data))


def test_a_jpeg_that_lacks_more_is_refused() -> None:
    data = picture_file(150, 50, "JPEG", seed=1)
    for size in range(len(data) // 2, len(data) - 3, 7):
        assert problem_of(data[:size]).problem is PictureProblem.DAMAGED
    progressive = picture_file(150, 50, "JPEG", seed=1, progressive=True)
    assert problem_of(progressive[:-2]).problem is PictureProblem.DAMAGED


def png_that_claims(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + header + picture_file()[33:]


@pytest.mark.parametrize(
    ("data", "problem", "words"),
    [
        (b"", PictureProblem.NOT_A_PICTURE, "is empty"),
        (b"four digits", PictureProblem.NOT_A_PICTURE, "is not a PNG, JPEG, WebP, BMP or GIF picture"),
        (saved(Image.new("RGB", (9, 9)), "TIFF"), PictureProblem.NOT_A_PICTURE, "is not a PNG"),
        (picture_file()[:60], PictureProblem.DAMAGED, "is damaged: "),
        (b"GIF89a?", PictureProblem.DAMAGED, "is damaged: its header cannot be read"),
        (b"BMW 2002", PictureProblem.DAMAGED, "is damaged: "),
        (png_that_claims(60_000, 60_000), PictureProblem.TOO_LARGE, "has more than 50 million pixels"),
        (png_that_claims(8_000, 8_000), PictureProblem.TOO_LARGE, "has more than 50 million pixels"),
        (picture_file() + bytes(MAX_FILE_BYTES), PictureProblem.TOO_LARGE, "is larger than 64 MiB"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(data: bytes, problem: PictureProblem, words: str) -> None:
    error = problem_of(data)
    assert error.problem is problem
    assert words in str(error)
    assert "\n" not in str(error)


@given(
    st.sampled_from([picture_file(form=form) for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP")]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    st.integers(0, 10**6),
)
def test_damage_gives_pixels_or_a_picture_error(data: bytes, changes: list[tuple[int, int]], size: int) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        image = decode_picture(bytes(damaged[: 1 + size % len(damaged)]))
    except PictureError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3


def test_files_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(picture_file())
    assert np.array_equal(read_picture(tmp_path / "one.png"), pixels())
    for name, words in (("none.png", "does not exist"), (".", "is not a file")):
        with pytest.raises(PictureError, match=words) as caught:
            read_picture(tmp_path / name)
        assert caught.value.problem is PictureProblem.UNREADABLE_FILE
    (tmp_path / "self.png").symlink_to("self.png")
    with pytest.raises(PictureError, match=r"does not exist|cannot be read"):
        read_picture(tmp_path / "self.png")


def test_colours_are_names_or_hex() -> None:
    assert colour_of("white") == colour_of("#ffffff") == (255, 255, 255)
    with pytest.raises(UsageError, match="got 'whitish'"):
        colour_of("whitish")
