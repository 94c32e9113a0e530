"""The commands of `python -m datagen_server`; the only module of the package that reads argv.

To add a command: a function here that adds its parser, and one in `commands` that runs it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datagen_server import commands
from shared.command import CommandParser
from shared.spec import DEFAULT_COUNTS

if TYPE_CHECKING:
    Subcommands = argparse._SubParsersAction[CommandParser]

DEFAULT_LISTEN = "127.0.0.1:50051"


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    parser = CommandParser(
        prog="python -m datagen_server",
        description="Serves captchas that are a function of a seed, to trainers that carry their own place in it.",
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=CommandParser)
    for add in (_add_serve, _add_health, _add_preview, _add_inspect):
        add(subcommands)
    options = parser.parse_args(argv)
    return int(options.command(options))


def _add_serve(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "serve",
        help="serve the data set until SIGTERM or Ctrl-C",
        epilog="""examples:
  python -m datagen_server serve
  python -m datagen_server serve --listen 127.0.0.1:0 --seed 7 --count train=200000 test=10000
  python -m datagen_server serve --listen 0.0.0.0:50051 --insecure""",
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help="default %(default)s; port 0: any"
    )
    _add_source_options(parser)
    parser.add_argument(
        "--workers", metavar="N", type=_positive, help="rendering processes; default: one for each core"
    )
    parser.add_argument("--insecure", action="store_true", help="listen off loopback, in plain text, for anyone")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input closes")
    parser.set_defaults(command=commands.serve)


def _add_health(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "health",
        help="say whether a service answers and is serving",
        epilog="""examples:
  python -m datagen_server health
  python -m datagen_server health --target datagen:50051 && echo good""",
    )
    parser.add_argument("--target", default=DEFAULT_LISTEN, help="HOST:PORT; default %(default)s")
    parser.set_defaults(command=commands.health)


def _add_preview(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "preview",
        help="draw a contact sheet of samples with their labels",
        epilog="""examples:
  python -m datagen_server preview --out sheet.png
  python -m datagen_server preview --datagen 127.0.0.1:50051 --split test --first 100 --count 25 --out sheet.png""",
    )
    _add_look_options(parser)
    parser.add_argument("--split", default="train", help="default %(default)s")
    parser.add_argument("--first", metavar="N", type=_natural, default=0, help="first index; default %(default)s")
    parser.add_argument(
        "--count", dest="num_samples", metavar="N", type=_positive, default=40, help="default %(default)s"
    )
    parser.add_argument("--out", metavar="SHEET.png", type=Path, required=True, help="where the sheet goes")
    parser.set_defaults(command=commands.preview, counts=[])


def _add_inspect(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "inspect",
        help="show one sample",
        epilog="""examples:
  python -m datagen_server inspect --split test --index 17
  python -m datagen_server inspect --datagen 127.0.0.1:50051 --split test --index 17 --out 17.png --json""",
    )
    _add_look_options(parser)
    parser.add_argument("--split", required=True, help="its name, such as train or test")
    parser.add_argument("--index", metavar="N", type=_natural, required=True, help="within the split")
    parser.add_argument("--out", metavar="IMAGE.png", type=Path, help="write the picture too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=commands.inspect, counts=[])


def _add_source_options(parser: CommandParser) -> None:
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the samples, 0..2^64-1; default %(default)s"
    )
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


def _add_look_options(parser: CommandParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--datagen", metavar="TARGET", help="ask this service; default: render here")
    where.add_argument("--seed", metavar="N", type=int, default=0, help="render with this seed; default %(default)s")


def _split_count(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like train=50000, got {text!r}")
    return name, int(count)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number from 0, got {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not _natural(text):
        raise argparse.ArgumentTypeError("must be at least 1, got 0")
    return int(text)
