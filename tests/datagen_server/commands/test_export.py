import json
from pathlib import Path

import pytest

from datagen_server.cli import main


def test_exported_samples_can_be_served_again(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "ocr")
    assert main(["export", "--shards", str(shards), "--format", "ocr-lmdb", "--out", out]) == 0
    assert capsys.readouterr().out == f"{out}: 130 samples as ocr-lmdb\n"
    told = []
    for where in (out, str(shards)):
        assert main(["inspect", "--shards", where, "--split", "test", "--index", "29", "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0]["sha256"] == told[1]["sha256"]
    assert told[0]["text"] == told[1]["text"]
