"""The command lines in files that are not Python, read by the parsers of the real commands."""

import argparse
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import datagen_server.cli
import evaluator.cli
import trainer.cli

_PARSERS = {
    "datagen_server": datagen_server.cli.build_parser,
    "evaluator": evaluator.cli.build_parser,
    "trainer": trainer.cli.build_parser,
}
_ECHO = '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done >"$TOLD"\n'


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of PACKAGE ARGUMENTS...; fails as the command itself would."""
    package, *arguments = words
    try:
        return _PARSERS[package]().parse_args(arguments)
    except SystemExit as error:
        raise AssertionError(f"python -m {' '.join(words)} does not parse") from error


def words_of_script(script: str, folder: Path, environment: Mapping[str, str]) -> Sequence[str]:
    """What `sh -ec SCRIPT` gives to `python -m`: a script in its place writes its arguments down."""
    (folder / "python").write_text(_ECHO)
    (folder / "python").chmod(0o755)
    told = folder / "told"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    # Copying fails, as there is nothing to copy; what counts has been said by then.
    subprocess.run(
        ["sh", "-ec", script], env={"PATH": path, "TOLD": str(told), **environment}, capture_output=True, check=False
    )
    minus_m, *words = told.read_text().splitlines()
    assert minus_m == "-m"
    return words
