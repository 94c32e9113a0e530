"""The commands of `python -m datagen_server`; the only module of the package that reads argv.

Each command is a parser function and the function it runs; `_open_source` alone decides where samples come from.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from datagen_server.preview import contact_sheet
from datagen_server.rendered import RenderedSource
from datagen_server.server import DatasetServer, serve_until_stopped
from datagen_server.sources import SampleSource, read_samples
from shared.batch import Sample
from shared.client import connect
from shared.command import CommandParser
from shared.errors import UsageError
from shared.health import check_health
from shared.spec import DEFAULT_COUNTS, Dataset, DatasetSpec

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
    parser.add_argument("--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help="default %(default)s; port 0: any")
    _add_source_options(parser)
    parser.add_argument("--workers", metavar="N", type=_positive, help="rendering processes; default: one for each core")
    parser.add_argument("--insecure", action="store_true", help="listen off loopback, in plain text, for anyone")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input closes")
    parser.set_defaults(command=serve)


def serve(options: argparse.Namespace) -> int:
    """Serves until told to stop: 0 after SIGTERM or the end of standard input, 130 after Ctrl-C."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with _open_source(options, options.workers or os.cpu_count() or 1) as source:
        server = DatasetServer(source, options.listen, insecure=options.insecure)
        return serve_until_stopped(server, stop_with_stdin=options.stop_with_stdin)


def _add_health(subcommands: "Subcommands") -> None:
    parser = subcommands.add_parser(
        "health",
        help="say whether a service answers and is serving",
        epilog="""examples:
  python -m datagen_server health
  python -m datagen_server health --target datagen:50051 && echo good""",
    )
    parser.add_argument("--target", default=DEFAULT_LISTEN, help="HOST:PORT; default %(default)s")
    parser.set_defaults(command=health)


def health(options: argparse.Namespace) -> int:
    """One line; 0 when the service is serving, else 1."""
    check_health(options.target)
    print(f"serving at {options.target}")
    return 0


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
    parser.add_argument("--count", dest="num_samples", metavar="N", type=_positive, default=40, help="default %(default)s")
    parser.add_argument("--out", metavar="SHEET.png", type=Path, required=True, help="where the sheet goes")
    parser.set_defaults(command=preview, counts=[])


def preview(options: argparse.Namespace) -> int:
    """Writes the sheet and says where it is."""
    indices = range(options.first, options.first + options.num_samples)
    samples = _look(options, indices)[1]
    sheet = contact_sheet(np.stack([sample.image for sample in samples]), [sample.text for sample in samples])
    _save(sheet, options.out)
    print(f"{options.out}: {len(samples)} samples of {options.split}, from index {options.first}")
    return 0


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
    parser.set_defaults(command=inspect, counts=[])


def inspect(options: argparse.Namespace) -> int:
    """Prints what is known of one sample."""
    dataset, (sample,) = _look(options, [options.index])
    if options.out:
        _save(Image.fromarray(sample.image), options.out)
    height, width, _ = sample.image.shape
    facts = {
        "split": options.split,
        "index": sample.index,
        "text": sample.text,
        "width": width,
        "height": height,
        "sha256": sha256(sample.image.tobytes()).hexdigest(),
        "fingerprint": dataset.fingerprint,
    }
    print(json.dumps(facts) if options.json else "\n".join(f"{name:12} {value}" for name, value in facts.items()))
    return 0


def _add_source_options(parser: CommandParser) -> None:
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the samples, 0..2^64-1; default %(default)s")
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


@contextmanager
def _open_source(options: argparse.Namespace, num_workers: int) -> Iterator[SampleSource]:
    """The one place where it is decided where samples come from."""
    source = RenderedSource(DatasetSpec(seed=options.seed), _counts(options.counts), num_workers)
    try:
        yield source
    finally:
        source.close()


def _counts(pairs: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"--count must name a split once, got {min(twice)} twice")
    return {**DEFAULT_COUNTS, **dict(pairs)}


def _look(options: argparse.Namespace, indices: Sequence[int]) -> tuple[Dataset, Sequence[Sample]]:
    if options.datagen:
        with connect(options.datagen) as client:
            return client.dataset, client.samples(options.split, indices)
    with _open_source(options, 1) as source:
        return source.dataset, read_samples(source, options.split, indices)


def _save(picture: Image.Image, path: Path) -> None:
    try:
        picture.save(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error


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
