"""`materialize`, `verify` and `export`."""

import argparse
from pathlib import Path

from datagen_server.parsers.common import (
    Subcommands,
    add_executor_options,
    add_json_option,
    add_rendering_options,
    add_storage_options,
)
from shared.dataset.spec_options import add_font_option, add_spec_options


def add_materialize(subcommands: Subcommands) -> None:
    """Adds `materialize`."""
    parser = subcommands.add_parser(
        "materialize",
        help="render the data set into LMDB shards; run again, it goes on where it was",
        epilog="""examples:
  python -m datagen_server materialize --out shards
  python -m datagen_server materialize --out shards --spec spec.yaml --font A.ttf
  python -m datagen_server materialize --out shards --codec raw --count train=1000000
  python -m datagen_server materialize --out shards --executor dask --scheduler tcp://10.0.0.1:8786
half each on two hosts, then copied into one directory and joined:
  python -m datagen_server materialize --out shards --shard-range 0:4
  python -m datagen_server materialize --out shards --shard-range 4:9
  python -m datagen_server verify shards""",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the shards go")
    add_spec_options(parser)
    add_rendering_options(parser)
    add_storage_options(parser)
    parser.add_argument("--split", dest="splits", metavar="NAME", nargs="+", default=[], help="only these")
    parser.add_argument(
        "--shard-range", metavar="A:B", type=_range, help="only shards A to B-1 of these splits, counted from 0"
    )
    add_executor_options(parser)
    add_json_option(parser)
    parser.set_defaults(command="materialize")


def add_verify(subcommands: Subcommands) -> None:
    """Adds `verify`."""
    parser = subcommands.add_parser(
        "verify",
        help="check every stored record; repair damage; join parts made on several hosts",
        epilog="""examples:
  python -m datagen_server verify shards
  python -m datagen_server verify shards --repair --json
  python -m datagen_server verify shards --repair --font A.ttf
  python -m datagen_server verify shards --repair --source pictures""",
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="what materialize or import has written")
    parser.add_argument("--repair", action="store_true", help="make damaged records again")
    add_font_option(parser, "to render damaged records again")
    parser.add_argument(
        "--source",
        dest="sources",
        metavar="SOURCE",
        type=Path,
        nargs="+",
        default=[],
        help="what import read; with --repair, damaged records are made from the pictures that have not changed",
    )
    add_json_option(parser)
    parser.set_defaults(command="verify")


def add_export(subcommands: Subcommands) -> None:
    """Adds `export`."""
    parser = subcommands.add_parser(
        "export",
        help="write stored samples in another project's layout",
        epilog="""examples:
  python -m datagen_server export --shards shards --format ocr-lmdb --out ocr
  python -m datagen_server export --shards shards --format png --split test --out pictures""",
    )
    parser.add_argument("--shards", metavar="DIR", type=Path, required=True, help="what materialize has written")
    parser.add_argument("--format", dest="layout", choices=["ocr-lmdb", "png", "labels", "webdataset"], required=True)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a directory that is not there yet")
    parser.add_argument("--split", dest="splits", metavar="NAME", nargs="+", default=[], help="only these")
    add_json_option(parser)
    parser.set_defaults(command="export")


def _range(text: str) -> range:
    first, colon, last = text.partition(":")
    if not colon or not first.isdecimal() or not last.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like 0:4, got {text!r}")
    return range(int(first), int(last))
