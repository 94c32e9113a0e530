"""`serve`."""

import argparse
import re
from pathlib import Path

from datagen_server.parsers.common import (
    Subcommands,
    add_rendering_options,
    add_shards_option,
)
from datagen_server.service.settings import DEFAULT_LISTEN, DEFAULT_MAX_STREAMS, LOG_FORMATS, MAX_STREAMS_LIMIT
from shared.dataset.spec_options import add_spec_options
from shared.system.command_line import CommandParser, positive


def add_serve(subcommands: Subcommands) -> None:
    """Adds `serve`."""
    parser = subcommands.add_parser(
        "serve",
        help="serve the data set until SIGTERM or Ctrl-C",
        epilog="""examples:
  python -m datagen_server serve
  python -m datagen_server serve --listen 127.0.0.1:0 --seed 7 --count train=200000 test=10000
  python -m datagen_server serve --alphabet alphanumeric --min-length 5 --max-length 6 --width 200 --font A.ttf B.ttf
  python -m datagen_server serve --spec spec.yaml
  python -m datagen_server serve --shards shards --metrics-listen 127.0.0.1:9464
  python -m datagen_server serve --shards shards --or-render
  python -m datagen_server serve --listen 0.0.0.0:50051 --tls-cert server.pem --tls-key server.key --token-file token
  python -m datagen_server serve --listen 0.0.0.0:50051 --insecure
  python -m datagen_server serve --listen unix:/run/captcha.sock --memory 512M""",
    )
    help_text = "or unix:PATH for this machine alone; default %(default)s; port 0: any"
    parser.add_argument("--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help=help_text)
    add_shards_option(parser)
    parser.add_argument("--or-render", action="store_true", help="render if --shards DIR holds no finished shards")
    add_spec_options(parser)
    add_rendering_options(parser)
    parser.add_argument(
        "--metrics-listen", metavar="HOST:PORT", help="offer a status page, /metrics and /healthz there; port 0: any"
    )
    parser.add_argument("--log-format", choices=LOG_FORMATS, default=LOG_FORMATS[0], help="default %(default)s")
    _add_server_security_options(parser)
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input closes")
    parser.add_argument("--json", action="store_true", help="print one JSON object once it listens, instead of text")
    parser.set_defaults(command="serve")


def _add_server_security_options(parser: CommandParser) -> None:
    group = parser.add_argument_group("security", "files are read again when they change, without a restart")
    group.add_argument("--tls-cert", metavar="F", type=Path, help="speak TLS with this certificate chain (PEM)")
    group.add_argument("--tls-key", metavar="F", type=Path, help="key (PEM) of --tls-cert")
    group.add_argument("--tls-client-ca", metavar="F", type=Path, help="want client certificates that these CAs signed")
    group.add_argument("--token-file", metavar="F", type=Path, help="want one of these bearer tokens, one a line")
    group.add_argument("--insecure", action="store_true", help="listen off loopback in plain text")
    help_text = "open at once; more are refused; default %(default)s"
    group.add_argument("--max-streams", metavar="N", type=_num_streams, default=DEFAULT_MAX_STREAMS, help=help_text)
    help_text = "of batches on their way, over all readers; those over it wait; default: half of what there is"
    group.add_argument("--memory", metavar="SIZE", type=_size, help=help_text)


def _size(text: str) -> int:
    """Bytes of 512M or 2G."""
    match = re.fullmatch(r"(\d{1,6})([MG])i?B?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must look like 512M or 2G, got {text!r}")
    return int(match[1]) << {"M": 20, "G": 30}[match[2]]


def _num_streams(text: str) -> int:
    if positive(text) > MAX_STREAMS_LIMIT:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_STREAMS_LIMIT}, got {text}")
    return int(text)
