"""`predict` on good and bad files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluator.cli import main
from shared.client import connect
from shared.errors import UsageError
from tests.evaluator.conftest import Setting
from tests.evaluator.test_image_file import image_of

Captured = pytest.CaptureFixture[str]


def arguments(setting: Setting, *more: str) -> list[str]:
    return ["predict", "--ckpt", str(setting.run_dir), *more]


def test_good_files_are_predicted_bad_ones_named_and_the_code_is_two(
    setting: Setting, tmp_path: Path, capsys: Captured
) -> None:
    with connect(setting.target) as client:
        (sample,) = client.samples("test", [5])
    Image.fromarray(sample.image).save(tmp_path / "same.png")
    image_of("L", (320, 128)).save(tmp_path / "large.png")
    files = [str(tmp_path / name) for name in ("same.png", "absent.png", "large.png")]
    assert main(arguments(setting, *files)) == 2
    captured = capsys.readouterr()
    assert captured.err == f"predict: {files[1]} does not exist\n"
    same, large = captured.out.splitlines()
    assert same.startswith(files[0])
    assert re.search(r"  confidence +[0-9.]+%$", same)
    assert large.endswith("resized from 320x128 to 160x64")
    assert main(arguments(setting, "--json", *files)) == 2
    output: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [each["file"] for each in output["images"]] == [files[0], files[2]]
    assert [each["resized"] for each in output["images"]] == [False, True]
    assert [each["file"] for each in output["problems"]] == [files[1]]
    assert main(["--ckpt", str(setting.run_dir), "--datagen", setting.target, "--report", str(tmp_path), "--json"]) == 0
    errors = {each["index"]: each for each in json.loads((tmp_path / "report.json").read_text())["errors"]}
    assert output["images"][0]["reading"] == errors[5]["reading"]
    assert output["images"][0]["confidence"] == errors[5]["confidence"]


def test_only_good_files_end_with_zero(setting: Setting, tmp_path: Path, capsys: Captured) -> None:
    image_of("RGBA").save(tmp_path / "one.png")
    assert main(arguments(setting, str(tmp_path / "one.png"))) == 0
    assert capsys.readouterr().err == ""


def test_without_a_checkpoint_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint at .*nowhere: the path does not exist"):
        main(["predict", "one.png", "--ckpt", str(tmp_path / "nowhere")])
