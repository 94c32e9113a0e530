import subprocess
import sys
from importlib import import_module

import pytest

from datagen_server.cli import build_parser, main
from shared.errors import StreamingError
from tests.datagen_server.commands.running import run

COMMANDS = "serve", "spec", "health", "preview", "inspect", "materialize", "import", "verify", "export"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples_that_parse(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    _, _, examples = capsys.readouterr().out.partition("examples:\n")
    assert examples.count(f"python -m datagen_server {command}") >= 2


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
        (["inspect", "--split", "test", "--index", "0", "--shards", "a", "--datagen", "a:1"], "not allowed with"),
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


def test_a_process_ends_with_the_exit_code_and_no_traceback() -> None:
    done = run("inspect", "--split", "dev", "--index", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "datagen_server: split must be one of test, train, got 'dev'\n"


def test_every_command_has_a_module_that_runs_it_and_no_other_is_imported() -> None:
    (choices,) = (action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    for parser in choices.values():
        assert callable(import_module(f"datagen_server.commands.{parser.get_default('command')}").run)
    done = subprocess.run(
        [sys.executable, "-c", "import sys, datagen_server.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"flask", "lmdb", "captcha", "prometheus_client"} & {*done.stdout.split()}
