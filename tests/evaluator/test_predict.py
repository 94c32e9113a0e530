"""`predict` on good and bad files, folders and lists, with a checkpoint and with an exported network."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluator.cli import main
from shared.client import connect
from shared.dataset.fit import Fit
from shared.errors import UsageError
from shared.recogniser import load
from shared.recogniser.checkpoint_info import read_info
from shared.recogniser.checkpoint_weights import load_weights
from shared.recogniser.onnx.graph import build_onnx
from shared.recogniser.onnx.metadata import OnnxMetadata
from tests.evaluator.conftest import Setting
from trainer.export_formats import export_onnx

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def exported(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("exported") / "ein Netz für alle.onnx"
    export_onnx(setting.checkpoint, file, "cpu")
    return file


@pytest.fixture
def pictures(setting: Setting, tmp_path: Path) -> Path:
    """A folder with a sample of the data set and pictures of other formats and sizes."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    with connect(setting.target) as client:
        (sample,) = client.samples("test", [5])
    image = Image.fromarray(sample.image)
    image.save(folder / "b.png")
    image.resize((320, 128)).save(folder / "a.bmp")
    image.save(folder / "more" / "c.webp", lossless=True)
    (folder / "notes.txt").write_text("no picture")
    return folder


def arguments(setting: Setting, *more: str) -> list[str]:
    return ["predict", "--ckpt", str(setting.run_dir), *more]


def test_good_files_are_predicted_bad_ones_named_and_the_code_is_two(
    setting: Setting, pictures: Path, tmp_path: Path, capsys: Captured
) -> None:
    files = [str(pictures / name) for name in ("b.png", "absent.png", "a.bmp", "notes.txt")]
    assert main(arguments(setting, *files)) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        f"predict: {files[1]} does not exist",
        f"predict: {files[3]} is not a PNG, JPEG, WebP, BMP or GIF picture",
    ]
    same, large = captured.out.splitlines()
    assert re.fullmatch(rf"{re.escape(files[0])}  \d+  confidence [0-9.]+%  \(\d [0-9]+%(  \d [0-9]+%)*\)", same)
    assert large.endswith("fitted from 320x128 to 160x64")
    assert main(arguments(setting, "--json", *files)) == 2
    output: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [each["file"] for each in output["images"]] == [files[0], files[2]]
    assert [each["resized"] for each in output["images"]] == [False, True]
    assert [each["file"] for each in output["problems"]] == [files[1], files[3]]
    assert main(["--ckpt", str(setting.run_dir), "--datagen", setting.target, "--report", str(tmp_path), "--json"]) == 0
    errors = {each["index"]: each for each in json.loads((tmp_path / "report.json").read_text())["errors"]}
    first = output["images"][0]
    assert first["reading"] == errors[5]["reading"]
    assert first["confidence"] == errors[5]["confidence"]
    assert len(first["character_confidences"]) == len(first["reading"])


def test_a_folder_and_a_list_on_standard_input_give_the_same_table(
    setting: Setting, pictures: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "predictions.csv"
    assert main(arguments(setting, str(pictures), "--csv", str(table))) == 0
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    names = [str(pictures / name) for name in ("a.bmp", "b.png", "more/c.webp")]
    assert [row["file"] for row in rows] == names
    assert rows[1]["text"] == rows[2]["text"] != ""
    assert len(rows[1]["character_confidences"].split()) == len(rows[1]["text"])
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(names) + "\n\n"))
    assert main(arguments(setting, "-", "--csv", str(table))) == 0
    assert capsys.readouterr().out == printed
    assert list(csv.DictReader(table.read_text().splitlines())) == rows


def test_an_exported_network_predicts_the_same(
    setting: Setting, exported: Path, pictures: Path, capsys: Captured
) -> None:
    outputs = []
    for checkpoint in (setting.checkpoint, exported):
        assert main(["predict", "--ckpt", str(checkpoint), "--json", str(pictures)]) == 0
        outputs.append(json.loads(capsys.readouterr().out)["images"])
    for ours, theirs in zip(*outputs, strict=True):
        assert ours["reading"] == theirs["reading"]
        # Weights eight times as large as usual make eight times as much of a rounding.
        assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-2)
        assert ours["character_confidences"] == pytest.approx(theirs["character_confidences"], abs=1e-2)


def test_an_exported_network_is_read_without_mindspore(exported: Path, pictures: Path) -> None:
    code = (
        "import sys; from evaluator.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 'mindspore' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "predict", "--ckpt", str(exported), str(pictures / "b.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_where_nothing_is_found_nothing_is_said_to_be_sure(
    setting: Setting, pictures: Path, tmp_path: Path, capsys: Captured
) -> None:
    info, weights = read_info(setting.checkpoint), load_weights(setting.checkpoint)
    weights["classify.bias"] = weights["classify.bias"] + np.array([0.0] * 10 + [1e3], np.float32)  # the blank's
    metadata = OnnxMetadata(alphabet="0123456789", width=160, height=64, max_length=4, fit=Fit().to_mapping())
    file = tmp_path / "blind.onnx"
    file.write_bytes(build_onnx(info.network_spec(), weights, metadata).SerializeToString())
    assert main(["predict", "--ckpt", str(file), str(pictures / "b.png")]) == 0
    assert capsys.readouterr().out == f"{pictures / 'b.png'}  nothing: no character found\n"
    (reading,) = load(file).predict([np.zeros((64, 160, 3), np.uint8)])
    assert (reading.text, reading.character_confidences) == ("", ())
    assert reading.confidence > 0.99


def test_five_lines_of_python_read_a_picture(setting: Setting, exported: Path, pictures: Path) -> None:
    texts = {load(source).read(pictures / "b.png") for source in (setting.run_dir, str(setting.checkpoint), exported)}
    assert len(texts) == 1
    reader = load(exported)
    assert reader.read(np.asarray(Image.open(pictures / "b.png"))) in texts
    with pytest.raises(UsageError, match=r"notes\.txt is not a PNG, JPEG, WebP, BMP or GIF picture"):
        reader.read(pictures / "notes.txt")


def test_importing_the_recogniser_is_cheap() -> None:
    code = "import sys; import shared.recogniser; sys.exit(len({'mindspore', 'numpy', 'PIL'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--csv", "/dev/null/x.csv"], "cannot write /dev/null/x.csv: there is no folder"),
        (["--ckpt", "nowhere"], "no checkpoint at nowhere: the path does not exist"),
        (["--ckpt", "nowhere.onnx"], r"no exported network at nowhere\.onnx; write one: python -m trainer\.export"),
        (["--ckpt", __file__], r"test_predict\.json is missing"),
    ],
)
def test_what_cannot_be_used_is_one_line(setting: Setting, more: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        main(arguments(setting, "one.png", *more))
    assert "\n" not in str(caught.value)


def test_an_empty_folder_and_an_empty_list_are_said_to_be(
    setting: Setting, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(arguments(setting, str(tmp_path))) == 2
    assert capsys.readouterr().err.startswith(f"predict: {tmp_path} holds no picture: no file that ends with .png, ")
    assert main(arguments(setting, "")) == 2  # As a shell's empty variable gives it; it does not mean this folder.
    assert capsys.readouterr().err == "predict: a picture needs a name, got an empty one\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(UsageError, match="there is no picture to predict: standard input lists none"):
        main(arguments(setting, "-"))
