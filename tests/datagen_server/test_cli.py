"""The commands as people type them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen_server.cli import main
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec
from shared.errors import StreamingError
from tests.services import ServiceProcess


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--seed", "3"
    with ServiceProcess(*serve, "--count", "train=300", "--stop-with-stdin") as service:
        yield service.target


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datagen_server", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", ["serve", "health", "preview", "inspect"])
def test_help_ends_with_examples_that_parse(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    _, _, examples = capsys.readouterr().out.partition("examples:\n")
    assert examples.count(f"python -m datagen_server {command}") >= 2


def test_health_is_one_line_and_an_exit_code(target: str) -> None:
    good = run("health", "--target", target)
    assert (good.returncode, good.stdout, good.stderr) == (0, f"serving at {target}\n", "")
    bad = run("health", "--target", "127.0.0.1:1")
    line = "datagen_server: no data set service answers at 127.0.0.1:1 (connection refused)\n"
    assert (bad.returncode, bad.stdout, bad.stderr) == (1, "", line)


def test_health_as_json_is_one_object_whatever_the_health(target: str) -> None:
    good, bad = run("health", "--json", "--target", target), run("health", "--json", "--target", "127.0.0.1:1")
    assert (good.returncode, json.loads(good.stdout)) == (0, {"target": target, "serving": True, "reason": ""})
    reason = "no data set service answers at 127.0.0.1:1 (connection refused)"
    assert (bad.returncode, json.loads(bad.stdout)) == (
        1,
        {"target": "127.0.0.1:1", "serving": False, "reason": reason},
    )


def test_serve_announces_itself_in_one_object(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datagen_server", "serve", "--listen", "127.0.0.1:0", "--json"]
    more = ["--workers", "1", "--count", "train=300", "--metrics-listen", "127.0.0.1:0", "--stop-with-stdin"]
    with open(tmp_path / "log", "w") as log:
        done = subprocess.run([*command, *more], input="", stdout=subprocess.PIPE, stderr=log, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["listening"].startswith("127.0.0.1:")
    assert told["metrics"].startswith("127.0.0.1:")
    assert (told["source"], told["counts"]) == ("rendered", {"test": 10_000, "train": 300})
    assert len(told["fingerprint"]) == 64


def test_inspect_shows_what_the_function_says_here_and_from_a_service(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, text = CaptchaRenderer(DatasetSpec(seed=3)).render("test", 7)
    told = []
    for where in (["--datagen", target], ["--seed", "3"]):
        out = tmp_path / "7.png"
        assert main(["inspect", *where, "--split", "test", "--index", "7", "--out", str(out), "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
        with Image.open(out) as picture:
            assert np.array_equal(np.asarray(picture), image)
    assert told[0] == told[1]
    assert (told[0]["text"], told[0]["index"], told[0]["split"]) == (text, 7, "test")


def test_inspect_is_readable_without_json(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--datagen", target, "--split", "train", "--index", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["split", "train"]
    assert [line.split()[0] for line in lines] == ["split", "index", "text", "width", "height", "sha256", "fingerprint"]


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--listen", "0.0.0.0:1"], "add --insecure if that is meant"),
        (["serve", "--listen", "0.0.0.0:1", "--token-file", "token"], "add --insecure if that is meant"),
        (["serve", "--listen", "0.0.0.0:1", "--tls-cert", "a.pem"], "--tls-cert and --tls-key go together"),
        (["serve", "--tls-client-ca", "ca.pem"], "--tls-client-ca is for TLS"),
        (["serve", "--listen", "127.0.0.1:0", "--token-file", "/nowhere"], "cannot read the token file /nowhere"),
        (["health", "--target", "a:1", "--insecure"], "with --token-file only"),
        (["inspect", "--tls-ca", "ca.pem", "--split", "test", "--index", "0"], "--tls-ca is for a service that runs"),
        (["inspect", "--datagen", "a:1", "--token-file", "/dev/null", "--split", "a", "--index", "0"], "is empty"),
        (["serve", "--listen", "nowhere"], "--listen must be HOST:PORT"),
        (["serve", "--listen", "127.0.0.1:0", "--seed", "-1"], "seed must be an integer in 0..18446744073709551615"),
        (["serve", "--listen", "127.0.0.1:0", "--count", "train=0"], "count of split train must be an integer in 1.."),
        (["serve", "--listen", "127.0.0.1:0", "--count", "Dev=5"], "split name must match"),
        (["serve", "--listen", "127.0.0.1:0", "--count", "a=5", "a=6"], "--count must name a split once, got a twice"),
        (["inspect", "--split", "dev", "--index", "0"], "split must be one of test, train, got 'dev'"),
        (["inspect", "--split", "test", "--index", "10000"], "indices must be in 0..9999, got 10000"),
        (["preview", "--count", "1", "--out", "/nowhere/sheet.png"], "cannot write /nowhere/sheet.png"),
        (["preview", "--count", "1", "--out", "sheet.what"], "cannot write sheet.what"),
        (["health", "--target", "nowhere"], "a data set service is named by HOST:PORT"),
        (["inspect", "--datagen", "nowhere", "--split", "test", "--index", "0"], "is named by HOST:PORT"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    with pytest.raises(StreamingError) as caught:
        main(arguments)
    assert caught.value.exit_code == 2
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["sing"], "invalid choice: 'sing'"),
        (["serve", "--workers", "0"], "must be a number from 1, got '0'"),
        (["serve", "--max-streams", "0"], "must be a number from 1, got '0'"),
        (["serve", "--max-streams", "4097"], "must be at most 4096, got 4097"),
        (["serve", "--count", "train"], "must look like train=50000, got 'train'"),
        (["inspect", "--split", "test", "--index", "-1"], "must be a number from 0, got '-1'"),
        (["inspect", "--split", "test", "--index", "0", "--seed", "1", "--datagen", "a:1"], "not allowed with"),
    ],
)
def test_bad_flags_are_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_process_ends_with_the_exit_code_and_no_traceback() -> None:
    done = run("inspect", "--split", "dev", "--index", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "datagen_server: split must be one of test, train, got 'dev'\n"
