"""Image files of users, good and bad."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluator.image_file import MAX_PIXELS, open_image
from shared.errors import UsageError

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]


def image_of(mode: str, size: tuple[int, int] = (40, 20)) -> Image.Image:
    grey = np.full((size[1], size[0]), 128, np.uint8)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    return Image.fromarray(grey).convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_any_mode_becomes_rgb_of_the_size_of_the_network(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "image.png"
    image_of(mode).save(file)
    opened = open_image(file, 160, 64)
    assert opened.pixels.shape == (64, 160, 3)
    assert opened.pixels.dtype == np.uint8
    assert (opened.original_size, opened.is_resized) == ((40, 20), True)
    if mode != "1":
        assert abs(int(opened.pixels[32, 80, 0]) - 128) <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_read_and_an_image_of_the_right_size_stays_as_it_is(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "image.jpg"
    image_of(mode, (160, 64)).save(file)
    opened = open_image(file, 160, 64)
    assert not opened.is_resized
    np.testing.assert_allclose(opened.pixels, 128, atol=2)


def test_what_is_transparent_becomes_white_and_what_lies_is_set_upright(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    Image.new("RGBA", (160, 64), (0, 0, 0, 0)).save(file)
    assert (open_image(file, 160, 64).pixels == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upside_down = np.zeros((64, 160, 3), np.uint8)
    upside_down[32:] = 255
    Image.fromarray(upside_down).save(file, exif=exif)
    assert (open_image(file, 160, 64).pixels == 255 - upside_down).all()


def enormous_png(side: int) -> bytes:
    """A few bytes that claim to be an image of side by side pixels."""
    parts = b"\x89PNG\r\n\x1a\n"
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", b""),
        (b"IEND", b""),
    ):
        parts += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return parts


def bad_files(folder: Path) -> dict[str, str]:
    """Files that cannot be read, and what is to be said of each."""
    good = folder / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(good)
    (folder / "short.png").write_bytes(good.read_bytes()[:5000])
    (folder / "text.png").write_text("no image")
    (folder / "empty.jpg").touch()
    (folder / "bomb.png").write_bytes(enormous_png(100_000))
    (folder / "large.png").write_bytes(enormous_png(9_000))
    Image.fromarray(noise).save(folder / "other.gif")
    return {
        "short.png": "cannot be read: ",
        "text.png": "is not a PNG or JPEG image",
        "empty.jpg": "is not a PNG or JPEG image",
        "other.gif": "is not a PNG or JPEG image",
        "bomb.png": f"has more than {MAX_PIXELS // 10**6} million pixels",
        "large.png": f"has more than {MAX_PIXELS // 10**6} million pixels",
        "absent.png": "does not exist",
        ".": "is not a file",
    }


def test_what_cannot_be_read_is_one_line_that_begins_with_its_name(tmp_path: Path) -> None:
    for name, problem in bad_files(tmp_path).items():
        with pytest.raises(UsageError, match=problem) as caught:
            open_image(tmp_path / name, 160, 64)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_name_that_cannot_be_printed_is_escaped() -> None:
    with pytest.raises(UsageError, match=r"^'a\\nb\\udcff\.png' does not exist"):
        open_image(Path("a\nb\udcff.png"), 160, 64)
