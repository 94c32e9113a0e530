"""`import`."""

import argparse
from pathlib import Path

from datagen_server.importing import KINDS
from datagen_server.parsers.common import Subcommands, add_executor_options, add_json_option, add_storage_options
from shared.system.command_line import CommandParser, positive


def add_import(subcommands: Subcommands) -> None:
    """Adds `import`."""
    parser = subcommands.add_parser(
        "import",
        help="make shards of your own pictures; run again, it goes on where it was",
        epilog="""sources, recognised by looking at them:
  a folder or archive (.tar, .zip) of pictures called LABEL.png, LABEL_17.jpg or 00017-LABEL.png
  a label file with a path and a label on each line (.txt), a .csv with a header, a .jsonl, or a folder with one
  WebDataset pairs (00017.png and 00017.txt) in a folder, an archive or a folder of archives
  OCR LMDBs (image-000000001, label-000000001), nested in folders or single files
folders and label files called train, valid or test (and the like) name the splits

examples:
  python -m datagen_server import pictures --out shards
  python -m datagen_server import train/ test.tar --out shards --size 160x64 --fit pad
  python -m datagen_server import --split train=a.txt --split test=b.txt --out shards
  python -m datagen_server import lmdb --out shards --case lower --alphabet alphanumeric
  python -m datagen_server import pictures --out shards --label-pattern '(?P<label>[^/_]+)[^/]*$'""",
    )
    parser.add_argument("sources", metavar="SOURCE", nargs="*", type=Path, help="a folder, an archive or a file")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the shards go")
    _add_source_options(parser)
    _add_picture_options(parser)
    _add_label_options(parser)
    parser.add_argument("--strict", action="store_true", help="write nothing if one picture or label is faulty")
    add_storage_options(parser)
    parser.add_argument("--workers", metavar="N", type=positive, help="processes; default: one for each core")
    add_executor_options(parser)
    add_json_option(parser)
    parser.set_defaults(command="import_pictures")


def _add_source_options(parser: CommandParser) -> None:
    group = parser.add_argument_group("sources and splits")
    group.add_argument(
        "--from",
        dest="kind",
        metavar="KIND",
        choices=KINDS,
        help=f"what the sources are: {', '.join(KINDS)}; default: look at them",
    )
    group.add_argument(
        "--split",
        dest="splits",
        metavar="NAME=SOURCE",
        nargs="+",
        action="extend",
        default=[],
        help="a source, and the split that all in it is",
    )
    shares = "of the pictures, chosen by their pixels; default 0.1 where the sources name no splits"
    group.add_argument("--valid-share", metavar="X", type=float, help=f"share {shares}")
    group.add_argument("--test-share", metavar="X", type=float, help=f"share {shares}")
    group.add_argument("--encoding", metavar="NAME", help="of label files; default: UTF-8, UTF-16 or GBK, by looking")


def _add_picture_options(parser: CommandParser) -> None:
    group = parser.add_argument_group("pictures")
    group.add_argument("--size", metavar="WxH", type=_size, help="of all pictures; default: from their median")
    group.add_argument(
        "--fit",
        choices=["pad", "stretch", "crop"],
        default="pad",
        help="how other pictures get that size; pad and crop keep the aspect; default %(default)s",
    )
    group.add_argument(
        "--resampling",
        metavar="FILTER",
        choices=["nearest", "bilinear", "bicubic", "lanczos"],
        default="bicubic",
        help="Pillow's nearest, bilinear, bicubic or lanczos; default %(default)s",
    )
    group.add_argument(
        "--ground",
        metavar="COLOUR",
        default="white",
        help="under transparent pixels and around padded pictures: #rrggbb or a name; default %(default)s",
    )


def _add_label_options(parser: CommandParser) -> None:
    group = parser.add_argument_group("labels")
    group.add_argument(
        "--label-pattern",
        metavar="P",
        help="a regular expression with a group called label, searched in FOLDER/NAME without the suffix",
    )
    group.add_argument("--strip", action="store_true", help="take white space off the ends of labels")
    group.add_argument("--case", choices=["keep", "lower", "upper"], default="keep", help="default %(default)s")
    group.add_argument(
        "--map",
        dest="mapping",
        metavar="FILE",
        type=Path,
        help="on each line a character, a space and what stands for it, such as: 0 O",
    )
    group.add_argument(
        "--alphabet",
        metavar="CHARS|NAME",
        help="the characters that may occur; default: those of dict.txt beside the pictures, else all that occur",
    )


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.lower().partition("x")
    if not x or not width.isdecimal() or not height.isdecimal():
        raise argparse.ArgumentTypeError(f"must look like 160x64, got {text!r}")
    return int(width), int(height)
