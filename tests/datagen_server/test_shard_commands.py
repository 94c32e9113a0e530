"""The commands that write, check and hand on stored samples, as people type them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen_server.cli import build_parser, main
from datagen_server.options import open_source
from datagen_server.rendering.renderer import CaptchaRenderer
from datagen_server.shards.manifest import MANIFEST_NAME, Manifest
from shared.client import connect
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss, StreamingError, UsageError
from tests.datagen_server.processes import children, wait_until
from tests.datagen_server.shards.building import damage_record
from tests.services import ServiceProcess

COUNTS = "--count", "train=100", "test=30"
SMALL = *COUNTS, "--shard-size", "32", "--workers", "1"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("commands") / "shards"
    assert main(["materialize", "--out", str(directory), *SMALL]) == 0
    return directory


@pytest.mark.parametrize("command", ["materialize", "verify", "export"])
def test_help_ends_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.count(f"python -m datagen_server {command}") >= 2


def test_materialize_says_what_it_made_and_the_second_time_that_all_is_there(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "shards")
    assert main(["materialize", "--out", out, *SMALL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    digest = Manifest.read(shards).digest
    assert {**told, "images_per_s": 0} == {
        "made": 5,
        "kept": 0,
        "missing": 0,
        "samples": 130,
        "images_per_s": 0,
        "digest": digest,
    }
    assert main(["materialize", "--out", out, *SMALL]) == 0
    assert capsys.readouterr().out == f"{out}: all 5 shards are there already, nothing to do; digest {digest}\n"


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


def test_a_service_over_shards_gives_what_the_function_says(shards: Path) -> None:
    renderer = CaptchaRenderer(DatasetSpec())
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--shards", str(shards), "--stop-with-stdin"
    with ServiceProcess(*serve) as service, connect(service.target) as client:
        assert dict(client.dataset.counts) == {"train": 100, "test": 30}
        for sample in client.samples("train", [99, 0, 31, 32]):
            image, text = renderer.render("train", sample.index)
            assert sample.text == text
            assert np.array_equal(sample.image, image)


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--shards", "DIR", "--count", "train=5"], "--count is for rendering"),
        (["serve", "--shards", "DIR", "--workers", "5"], "--workers is for rendering"),
        (["serve", "--shards", "/nowhere"], "/nowhere is not a directory of shards"),
        (["materialize", "--out", "DIR", "--executor", "dask"], "--executor dask needs --scheduler"),
        (["materialize", "--out", "DIR", "--scheduler", "tcp://x:1"], "--scheduler is for --executor dask"),
        (["materialize", "--out", "DIR", "--count", "train=5"], "shards of another data set"),
        (["materialize", "--out", "/dev/null"], "cannot make the directory /dev/null"),
        (["verify", "/nowhere"], "cannot open the directory /nowhere"),
        (["export", "--shards", "DIR", "--format", "png", "--out", "DIR"], "is there already and not empty"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(shards: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        main([argument.replace("DIR", str(shards)) for argument in arguments])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shard-range", "3"], "must look like 0:4, got '3'"),
        (["--codec", "jpeg"], "invalid choice: 'jpeg'"),
        (["--shard-size", "0"], "must be a number from 1, got '0'"),
    ],
)
def test_bad_values_are_one_line_with_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["materialize", "--out", "x", *arguments])
    assert caught.value.code == 2
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1


def test_ctrl_c_is_one_line_and_leaves_finished_shards_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datagen_server", "materialize", "--out", str(tmp_path), "--shard-size", "100"]
    process = subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(tmp_path.glob("*.lmdb")), "the first shard", timeout_s=60)
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    assert (process.returncode, words) == (130, "datagen_server: interrupted\n")
    assert not list(tmp_path.glob(".*.partial"))
    assert not (tmp_path / MANIFEST_NAME).exists()
    wait_until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers), "the workers to end")


def kind_served(*options: str) -> str:
    with open_source(build_parser().parse_args(["serve", *options])) as source:
        return source.kind


def test_or_render_serves_finished_shards_and_renders_where_there_are_none_yet(shards: Path, tmp_path: Path) -> None:
    assert kind_served("--shards", str(shards), "--or-render", *COUNTS, "--workers", "1") == "shards"
    assert kind_served("--shards", str(tmp_path), "--or-render", *COUNTS, "--workers", "1") == "rendered"
    assert main(["materialize", "--out", str(tmp_path), *SMALL, "--shard-range", "0:1"]) == 0
    assert kind_served("--shards", str(tmp_path), "--or-render", *COUNTS, "--workers", "1") == "rendered"


def test_or_render_is_for_shards_and_does_not_pass_over_shards_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--or-render is for --shards"):
        kind_served("--or-render")
    (tmp_path / MANIFEST_NAME).write_text("{")
    with pytest.raises(DataLoss, match=r"manifest\.json"):
        kind_served("--shards", str(tmp_path), "--or-render")
    with pytest.raises(UsageError, match="cannot read"):
        kind_served("--shards", f"{tmp_path}/{'x' * 300}", "--or-render")
