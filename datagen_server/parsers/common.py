"""The options that several commands take."""

import argparse
from pathlib import Path
from typing import TypeAlias

from shared.dataset.spec import DEFAULT_COUNTS
from shared.system.command_line import CommandParser, positive

Subcommands: TypeAlias = "argparse._SubParsersAction[CommandParser]"


def add_json_option(parser: CommandParser) -> None:
    """--json, of every command that prints a result."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_shards_option(parser: "argparse._ActionsContainer") -> None:
    """--shards, of the commands that read samples."""
    parser.add_argument(
        "--shards", metavar="DIR", type=Path, help="stored samples: what materialize wrote, or OCR LMDBs"
    )


def add_rendering_options(parser: CommandParser) -> None:
    """--workers and --count, of the commands that render a data set."""
    parser.add_argument("--workers", metavar="N", type=positive, help="rendering processes; default: one for each core")
    parser.add_argument(
        "--count",
        dest="counts",
        metavar="SPLIT=N",
        type=_split_count,
        nargs="+",
        action="extend",
        default=[],
        help="samples in a split; default " + " ".join(f"{name}={count}" for name, count in DEFAULT_COUNTS.items()),
    )


def _split_count(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like train=50000, got {text!r}")
    return name, int(count)
