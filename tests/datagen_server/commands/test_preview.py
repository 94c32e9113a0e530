import json
from pathlib import Path

import pytest
from PIL import Image

from datagen_server.cli import main


def test_preview_writes_the_same_sheet_here_and_from_a_service(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheets = []
    for where in (["--datagen", target], ["--seed", "3"]):
        out = tmp_path / "sheet.png"
        assert main(["preview", *where, "--split", "test", "--first", "5", "--count", "9", "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"{out}: 9 samples of test, from index 5\n"
        sheets.append(out.read_bytes())
    assert sheets[0] == sheets[1]
    assert main(["preview", "--split", "test", "--count", "2", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": str(out), "split": "test", "first": 0, "count": 2}


def test_inspect_and_preview_look_into_shards(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for where in (["--shards", str(shards)], []):
        assert main(["inspect", *where, "--split", "train", "--index", "50", "--json"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    sheet = tmp_path / "sheet.png"
    assert main(["preview", "--shards", str(shards), "--count", "12", "--out", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        assert picture.width > 160
