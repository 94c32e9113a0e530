"""`spec` prints what it was told in a form that it reads again, and every command refuses what cannot be rendered."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.rendering.glyphs import FONT_PATH
from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError
from tests.datagen_server.commands.test_bad_directories import ANYWHERE

OPTIONS = ["--alphabet", "hex", "--min-length", "5", "--max-length", "6", "--width", "200", "--font", FONT_PATH]


def test_what_is_printed_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "spec.yaml"
    assert main(["spec", *OPTIONS]) == 0
    file.write_text(capsys.readouterr().out)
    said = []
    for options in ([str(file), "--font", FONT_PATH], ["--spec", str(file), "--font", FONT_PATH], OPTIONS):
        assert main(["spec", *options, "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1] == said[2]
    assert said[0]["spec"]["alphabet"] == "0123456789abcdef"
    assert DatasetSpec.from_mapping(said[0]["spec"]).digest() == said[0]["digest"]


def test_the_default_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {
        "spec": DatasetSpec().to_mapping(),
        "digest": DatasetSpec().digest(),
        "fingerprint": fingerprint(DatasetSpec()),
    }


def test_shards_and_a_service_say_what_they_hold(
    target: str, pristine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["spec", "--datagen", target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["seed"] == 3
    assert main(["spec", "--shards", str(pristine), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["alphabet"] == "0123"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spec", "--alphabet", "a中"], "has no glyph for '中'"),
        (["preview", "--alphabet", "a中", "--out", "s.png"], "has no glyph for '中'"),
        (["inspect", "--alphabet", "aa", "--split", "train", "--index", "0"], "distinct characters, got 'a'"),
        (["materialize", "--out", "shards", "--width", "5"], "width must be an integer in 16..1024, got 5"),
        (["serve", *ANYWHERE, "--font", "missing.ttf"], "font .*missing.ttf cannot be read: No such file"),
        (["serve", *ANYWHERE, "--font", __file__], "is no TrueType or OpenType font"),
        (
            ["serve", *ANYWHERE, "--shards", "shards", "--alphabet", "hex"],
            "--alphabet: the data set of --shards is described",
        ),
        (
            ["preview", "--datagen", "x:1", "--seed", "4", "--width", "90", "--out", "s.png"],
            "--seed, --width: the data",
        ),
        (["spec", "a.yaml", "--spec", "b.yaml"], "FILE is the same as --spec"),
        (["spec", "missing.yaml"], "cannot read missing.yaml: No such file"),
        (["spec", "--min-length", "5"], "min_length must be an integer in 1..4, got 5"),
    ],
)
def test_what_cannot_be_rendered_is_refused_by_name(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        main(arguments)


def test_a_refusal_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("width: 100\nwidth: 200\n")
    for arguments, message in (
        ([str(file)], "line 2: the key 'width' comes twice"),
        (["--seed", "x"], "argument --seed"),
    ):
        command = [sys.executable, "-m", "datagen_server", "spec", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
