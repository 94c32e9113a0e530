"""`preview`, `inspect` and `spec`."""

from pathlib import Path

from datagen_server.parsers.common import Subcommands, add_json_option, add_shards_option
from shared.dataset.spec_options import add_spec_options
from shared.security.credentials import add_security_options
from shared.system.command_line import CommandParser, natural, positive


def add_preview(subcommands: Subcommands) -> None:
    """Adds `preview`."""
    parser = subcommands.add_parser(
        "preview",
        help="draw a contact sheet of samples with their labels",
        epilog="""examples:
  python -m datagen_server preview --out sheet.png
  python -m datagen_server preview --alphabet hex --min-length 5 --max-length 8 --width 240 --out sheet.png
  python -m datagen_server preview --datagen 127.0.0.1:50051 --split test --first 100 --count 25 --out sheet.png""",
    )
    _add_lookup_options(parser)
    parser.add_argument("--split", default="train", help="default %(default)s")
    parser.add_argument("--first", metavar="N", type=natural, default=0, help="first index; default %(default)s")
    parser.add_argument(
        "--count", dest="num_samples", metavar="N", type=positive, default=40, help="default %(default)s"
    )
    parser.add_argument("--out", metavar="SHEET.png", type=Path, required=True, help="where the sheet goes")
    add_json_option(parser)
    parser.set_defaults(command="preview")


def add_inspect(subcommands: Subcommands) -> None:
    """Adds `inspect`."""
    parser = subcommands.add_parser(
        "inspect",
        help="show one sample",
        epilog="""examples:
  python -m datagen_server inspect --split test --index 17
  python -m datagen_server inspect --datagen 127.0.0.1:50051 --split test --index 17 --out 17.png --json""",
    )
    _add_lookup_options(parser)
    parser.add_argument("--split", required=True, help="such as train or test")
    parser.add_argument("--index", metavar="N", type=natural, required=True, help="within the split")
    parser.add_argument("--out", metavar="IMAGE.png", type=Path, help="write the picture too")
    add_json_option(parser)
    parser.set_defaults(command="inspect")


def add_spec(subcommands: Subcommands) -> None:
    """Adds `spec`."""
    parser = subcommands.add_parser(
        "spec",
        help="check the description of a data set, and print it as a file for --spec",
        epilog="""examples:
  python -m datagen_server spec --alphabet alphanumeric --min-length 5 --max-length 6 --width 200 > spec.yaml
  python -m datagen_server spec spec.yaml --font A.ttf B.ttf
  python -m datagen_server spec --datagen 127.0.0.1:50051
  python -m datagen_server spec --shards shards --json""",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the same as --spec FILE")
    where.add_argument("--datagen", metavar="TARGET", help="of this service")
    add_shards_option(where)
    add_spec_options(parser)
    add_security_options(parser)
    add_json_option(parser)
    parser.set_defaults(command="spec")


def _add_lookup_options(parser: CommandParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--datagen", metavar="TARGET", help="ask this service; default: render here")
    add_shards_option(where)
    add_spec_options(parser)
    add_security_options(parser)
    parser.set_defaults(or_render=False, counts=[], workers=None)
