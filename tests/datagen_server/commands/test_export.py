import json
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.exporting.layouts import LAYOUTS
from shared.errors import UsageError


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exported_samples_can_be_imported_again(
    layout: str, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "exported")
    assert main(["export", "--shards", str(shards), "--format", layout, "--out", out]) == 0
    assert capsys.readouterr().out == f"{out}: 130 samples as {layout}\n"
    assert main(["import", out, "--out", str(tmp_path / "again"), "--workers", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["taken"], facts["splits"]) == (130, {"test": 30, "train": 100})


def test_an_ocr_lmdb_is_not_served_and_the_import_is_named(shards: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "ocr")
    assert main(["export", "--shards", str(shards), "--format", "ocr-lmdb", "--out", out]) == 0
    with pytest.raises(UsageError, match=f"python -m datagen_server import {out} --out shards") as caught:
        main(["inspect", "--shards", out, "--split", "test", "--index", "29"])
    assert caught.value.exit_code == 2
