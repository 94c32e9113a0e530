"""The commands of `python -m datagen_server`; the only module of the package that reads argv.

To add a command: a function here that adds its parser, and one in `commands` or `shard_commands` that runs it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datagen_server import commands, shard_commands
from datagen_server.service.logs import LOG_FORMATS
from datagen_server.service.server import DEFAULT_STREAMS, MAX_STREAMS
from datagen_server.shards.manifest import DEFAULT_CODEC, DEFAULT_SHARD_SIZE
from shared.dataset.spec import DEFAULT_COUNTS
from shared.protocol.codec import Codec
from shared.security.credentials import add_security_options
from shared.system.command_line import CommandParser, natural, positive

if TYPE_CHECKING:
    Subcommands = argparse._SubParsersAction[CommandParser]

DEFAULT_LISTEN = "127.0.0.1:50051"


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    options = build_parser().parse_args(argv)
    return int(options.command(options))


def build_parser() -> CommandParser:
    """The parser of all commands."""
    parser = CommandParser(
        prog="python -m datagen_server",
        description="Serves captchas that are a function of a seed, to trainers that carry their own place in it.",
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=CommandParser)
    for add in (_add_serve, _add_materialize, _add_verify, _add_preview, _add_inspect, _add_export, _add_health):
        add(subcommands)
    return parser


def _add_serve(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "serve",
        help="serve the data set until SIGTERM or Ctrl-C",
        epilog="""examples:
  python -m datagen_server serve
  python -m datagen_server serve --listen 127.0.0.1:0 --seed 7 --count train=200000 test=10000
  python -m datagen_server serve --shards shards --metrics-listen 127.0.0.1:9464
  python -m datagen_server serve --shards shards --or-render
  python -m datagen_server serve --listen 0.0.0.0:50051 --tls-cert server.pem --tls-key server.key --token-file token
  python -m datagen_server serve --listen 0.0.0.0:50051 --insecure""",
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help="default %(default)s; port 0: any"
    )
    where = parser.add_mutually_exclusive_group()
    _add_shards_option(where)
    _add_seed_option(where)
    parser.add_argument("--or-render", action="store_true", help="render if --shards DIR holds no finished shards")
    _add_rendering_options(parser)
    parser.add_argument(
        "--metrics-listen", metavar="HOST:PORT", help="offer a status page, /metrics and /healthz there; port 0: any"
    )
    parser.add_argument("--log-format", choices=LOG_FORMATS, default=LOG_FORMATS[0], help="default %(default)s")
    _add_server_security_options(parser)
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input closes")
    parser.add_argument("--json", action="store_true", help="print one JSON object once it listens, instead of words")
    parser.set_defaults(command=commands.serve)


def _add_health(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "health",
        help="say whether a service answers and is serving",
        epilog="""examples:
  python -m datagen_server health
  python -m datagen_server health --target datagen:50051 && echo good
  python -m datagen_server health --target datagen:50051 --tls-ca ca.pem""",
    )
    parser.add_argument("--target", default=DEFAULT_LISTEN, help="HOST:PORT; default %(default)s")
    add_security_options(parser)
    _add_json_option(parser)
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
    parser.add_argument("--first", metavar="N", type=natural, default=0, help="first index; default %(default)s")
    parser.add_argument(
        "--count", dest="num_samples", metavar="N", type=positive, default=40, help="default %(default)s"
    )
    parser.add_argument("--out", metavar="SHEET.png", type=Path, required=True, help="where the sheet goes")
    _add_json_option(parser)
    parser.set_defaults(command=commands.preview)


def _add_inspect(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "inspect",
        help="show one sample",
        epilog="""examples:
  python -m datagen_server inspect --split test --index 17
  python -m datagen_server inspect --datagen 127.0.0.1:50051 --split test --index 17 --out 17.png --json""",
    )
    _add_look_options(parser)
    parser.add_argument("--split", required=True, help="such as train or test")
    parser.add_argument("--index", metavar="N", type=natural, required=True, help="within the split")
    parser.add_argument("--out", metavar="IMAGE.png", type=Path, help="write the picture too")
    _add_json_option(parser)
    parser.set_defaults(command=commands.inspect)


def _add_materialize(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "materialize",
        help="render the data set into LMDB shards; run again, it goes on where it was",
        epilog="""examples:
  python -m datagen_server materialize --out shards
  python -m datagen_server materialize --out shards --codec raw --count train=1000000
  python -m datagen_server materialize --out shards --executor dask --scheduler tcp://10.0.0.1:8786
half each on two hosts, then copied into one directory and joined:
  python -m datagen_server materialize --out shards --shard-range 0:4
  python -m datagen_server materialize --out shards --shard-range 4:9
  python -m datagen_server verify shards""",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the shards go")
    _add_seed_option(parser)
    _add_rendering_options(parser)
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
    parser.add_argument("--split", dest="splits", metavar="NAME", nargs="+", default=[], help="only these")
    parser.add_argument(
        "--shard-range", metavar="A:B", type=_range, help="only shards A to B-1 of these splits, counted from 0"
    )
    parser.add_argument("--executor", choices=["process", "dask"], default="process", help="default %(default)s")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of dask.distributed")
    _add_json_option(parser)
    parser.set_defaults(command=shard_commands.materialize)


def _add_verify(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "verify",
        help="check every stored record; repair damage; join parts made on several hosts",
        epilog="""examples:
  python -m datagen_server verify shards
  python -m datagen_server verify shards --repair --json""",
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="what materialize has written")
    parser.add_argument("--repair", action="store_true", help="render damaged records again")
    _add_json_option(parser)
    parser.set_defaults(command=shard_commands.verify)


def _add_export(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "export",
        help="write stored samples in another project's layout",
        epilog="""examples:
  python -m datagen_server export --shards shards --format ocr-lmdb --out ocr
  python -m datagen_server export --shards shards --format png --split test --out pictures""",
    )
    parser.add_argument("--shards", metavar="DIR", type=Path, required=True, help="what materialize has written")
    parser.add_argument("--format", dest="layout", choices=["ocr-lmdb", "png"], required=True)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a directory that is not there yet")
    parser.add_argument("--split", dest="splits", metavar="NAME", nargs="+", default=[], help="only these")
    _add_json_option(parser)
    parser.set_defaults(command=shard_commands.export)


def _add_json_option(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_shards_option(parser: "argparse._ActionsContainer") -> None:
    parser.add_argument(
        "--shards", metavar="DIR", type=Path, help="stored samples: what materialize wrote, or OCR LMDBs"
    )


def _add_seed_option(parser: "argparse._ActionsContainer") -> None:
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of rendered samples, 0..2^64-1; default %(default)s"
    )


def _add_rendering_options(parser: CommandParser) -> None:
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


def _add_server_security_options(parser: CommandParser) -> None:
    group = parser.add_argument_group("security", "files are read again when they change, without a restart")
    group.add_argument("--tls-cert", metavar="F", type=Path, help="speak TLS with this certificate chain (PEM)")
    group.add_argument("--tls-key", metavar="F", type=Path, help="key (PEM) of --tls-cert")
    group.add_argument("--tls-client-ca", metavar="F", type=Path, help="want client certificates that these CAs signed")
    group.add_argument("--token-file", metavar="F", type=Path, help="want one of these bearer tokens, one a line")
    group.add_argument("--insecure", action="store_true", help="listen off loopback in plain text")
    help_text = "open at once; more are refused; default %(default)s"
    group.add_argument("--max-streams", metavar="N", type=_num_streams, default=DEFAULT_STREAMS, help=help_text)


def _add_look_options(parser: CommandParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--datagen", metavar="TARGET", help="ask this service; default: render here")
    _add_shards_option(where)
    _add_seed_option(where)
    add_security_options(parser)
    parser.set_defaults(or_render=False, counts=[], workers=None)


def _split_count(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like train=50000, got {text!r}")
    return name, int(count)


def _range(text: str) -> range:
    first, colon, last = text.partition(":")
    if not colon or not first.isdecimal() or not last.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like 0:4, got {text!r}")
    return range(int(first), int(last))


def _num_streams(text: str) -> int:
    if positive(text) > MAX_STREAMS:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_STREAMS}, got {text}")
    return int(text)
