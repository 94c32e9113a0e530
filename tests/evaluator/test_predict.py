"""Pictures of people's own, good and bad."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluator.cli import main
from evaluator.image_file import MAX_PIXELS, open_picture
from shared.client import connect
from shared.errors import UsageError
from tests.evaluator.conftest import Setting

Captured = pytest.CaptureFixture[str]
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]


def picture_of(mode: str, size: tuple[int, int] = (40, 20)) -> Image.Image:
    grey = np.full((size[1], size[0]), 128, np.uint8)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    return Image.fromarray(grey).convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_any_mode_becomes_rgb_of_the_size_of_the_network(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "picture.png"
    picture_of(mode).save(file)
    picture = open_picture(file, 160, 64)
    assert picture.image.shape == (64, 160, 3)
    assert picture.image.dtype == np.uint8
    assert (picture.was, picture.is_resized) == ((40, 20), True)
    if mode != "1":
        assert abs(int(picture.image[32, 80, 0]) - 128) <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_read_and_a_picture_of_the_right_size_stays_as_it_is(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "picture.jpg"
    picture_of(mode, (160, 64)).save(file)
    picture = open_picture(file, 160, 64)
    assert not picture.is_resized
    np.testing.assert_allclose(picture.image, 128, atol=2)


def test_what_is_transparent_becomes_white_and_what_lies_is_set_upright(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    Image.new("RGBA", (160, 64), (0, 0, 0, 0)).save(file)
    assert (open_picture(file, 160, 64).image == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upside_down = np.zeros((64, 160, 3), np.uint8)
    upside_down[32:] = 255
    Image.fromarray(upside_down).save(file, exif=exif)
    assert (open_picture(file, 160, 64).image == 255 - upside_down).all()


def enormous_png(side: int) -> bytes:
    """A few bytes that claim to be a picture of side by side pixels."""
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
    (folder / "text.png").write_text("no picture")
    (folder / "empty.jpg").touch()
    (folder / "bomb.png").write_bytes(enormous_png(100_000))
    (folder / "large.png").write_bytes(enormous_png(9_000))
    Image.fromarray(noise).save(folder / "other.gif")
    return {
        "short.png": "cannot be read: ",
        "text.png": "is not a PNG or JPEG picture",
        "empty.jpg": "is not a PNG or JPEG picture",
        "other.gif": "is not a PNG or JPEG picture",
        "bomb.png": f"has more than {MAX_PIXELS // 10**6} million pixels",
        "large.png": f"has more than {MAX_PIXELS // 10**6} million pixels",
        "absent.png": "does not exist",
        ".": "is not a file",
    }


def test_what_cannot_be_read_is_one_line_that_begins_with_its_name(tmp_path: Path) -> None:
    for name, problem in bad_files(tmp_path).items():
        with pytest.raises(UsageError, match=problem) as caught:
            open_picture(tmp_path / name, 160, 64)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_name_that_cannot_be_printed_is_escaped() -> None:
    with pytest.raises(UsageError, match=r"^'a\\nb\\udcff\.png' does not exist"):
        open_picture(Path("a\nb\udcff.png"), 160, 64)


def predicted(setting: Setting, *more: str) -> list[str]:
    return ["predict", "--ckpt", str(setting.run_dir), *more]


def test_good_files_are_read_bad_ones_named_and_the_code_is_two(
    setting: Setting, tmp_path: Path, capsys: Captured
) -> None:
    with connect(setting.target) as client:
        (sample,) = client.samples("test", [5])
    Image.fromarray(sample.image).save(tmp_path / "same.png")
    picture_of("L", (320, 128)).save(tmp_path / "large.png")
    files = [str(tmp_path / name) for name in ("same.png", "absent.png", "large.png")]
    assert main(predicted(setting, *files)) == 2
    captured = capsys.readouterr()
    assert captured.err == f"predict: {files[1]} does not exist\n"
    same, large = captured.out.splitlines()
    assert same.startswith(files[0])
    assert same.endswith("% sure")
    assert large.endswith("resized from 320x128 to 160x64")
    assert main(predicted(setting, "--json", *files)) == 2
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [each["file"] for each in told["images"]] == [files[0], files[2]]
    assert [each["resized"] for each in told["images"]] == [False, True]
    assert [each["file"] for each in told["problems"]] == [files[1]]
    assert main(["--ckpt", str(setting.run_dir), "--datagen", setting.target, "--report", str(tmp_path), "--json"]) == 0
    errors = {each["index"]: each for each in json.loads((tmp_path / "report.json").read_text())["errors"]}
    assert told["images"][0]["reading"] == errors[5]["reading"]
    assert told["images"][0]["confidence"] == errors[5]["confidence"]


def test_only_good_files_end_with_zero(setting: Setting, tmp_path: Path, capsys: Captured) -> None:
    picture_of("RGBA").save(tmp_path / "one.png")
    assert main(predicted(setting, str(tmp_path / "one.png"))) == 0
    assert capsys.readouterr().err == ""


def test_without_a_checkpoint_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint at .*nowhere: the path does not exist"):
        main(["predict", "one.png", "--ckpt", str(tmp_path / "nowhere")])
