import json
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.shards.manifest import MANIFEST_NAME, Manifest
from shared.errors import StreamingError
from tests.datagen_server.commands.running import SMALL
from tests.datagen_server.shards.building import damage_record


def test_halves_made_apart_are_joined_by_verify(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path)
    assert main(["materialize", "--out", out, *SMALL, "--split", "test"]) == 0
    assert "4 missing; make them here or copy them here, then run verify" in capsys.readouterr().out
    with pytest.raises(StreamingError, match="is not complete: 4 of 5 shards are missing"):
        main(["verify", out])
    assert main(["materialize", "--out", out, *SMALL, "--split", "train", "--shard-range", "0:3"]) == 0
    assert main(["materialize", "--out", out, *SMALL, "--split", "train", "--shard-range", "3:4"]) == 0
    (tmp_path / MANIFEST_NAME).unlink()
    capsys.readouterr()
    assert main(["verify", out]) == 0
    digest = Manifest.read(shards).digest
    assert capsys.readouterr().out == (
        f"{out}: 130 records in 5 shards, 0 damaged, manifest written; digest {digest}\n"
    )


def test_verify_names_damage_with_exit_code_1_and_repairs_it(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["materialize", "--out", str(tmp_path), *SMALL]) == 0
    capsys.readouterr()
    manifest = Manifest.read(tmp_path)
    damaged = manifest.of_split("train")[1].shard
    damage_record(tmp_path, manifest.plan, damaged, 40)
    assert main(["verify", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "train-00001-of-00004.lmdb: records 40 of train: damaged"
    assert lines[1].endswith("130 records in 5 shards, 1 damaged, 0 repaired")
    assert main(["verify", str(tmp_path), "--repair", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "records": 130,
        "damaged": 1,
        "repaired": 1,
        "shards": 5,
        "digest": Manifest.read(shards).digest,
    }
    assert (tmp_path / damaged.file).read_bytes() == (shards / damaged.file).read_bytes()
