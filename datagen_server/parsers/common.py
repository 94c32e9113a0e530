"""The options that several commands take."""

import argparse
from pathlib import Path
from typing import TypeAlias

from datagen_server.shards import DEFAULT_CODEC, DEFAULT_SHARD_SIZE
from shared.dataset.spec import DEFAULT_COUNTS
from shared.protocol.codec import Codec
from shared.system.command_line import CommandParser, positive

Subcommands: TypeAlias = "argparse._SubParsersAction[CommandParser]"


def add_json_option(parser: CommandParser) -> None:
    """--json, of every command that prints a result."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_shards_option(parser: "argparse._ActionsContainer") -> None:
    """--shards, of the commands that read samples."""
    parser.add_argument("--shards", metavar="DIR", type=Path, help="stored samples: what materialize or import wrote")


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


def add_storage_options(parser: CommandParser) -> None:
    """--codec and --shard-size, of the commands that write shards."""
    parser.add_argument(
        "--codec",
        choices=[codec.value for codec in Codec],
        default=DEFAULT_CODEC.value,
        help="how images are stored, and travel; default %(default)s",
    )
    parser.add_argument(
        "--shard-size",
        metavar="N",
        type=positive,
        default=DEFAULT_SHARD_SIZE,
        help="samples in a shard; default %(default)s",
    )


def add_executor_options(parser: CommandParser) -> None:
    """--executor and --scheduler, of the commands that write shards."""
    parser.add_argument("--executor", choices=["process", "dask"], default="process", help="default %(default)s")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of dask.distributed")


def _split_count(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like train=50000, got {text!r}")
    return name, int(count)
