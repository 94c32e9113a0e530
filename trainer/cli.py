"""The trainer's command line. What it does is in `training_run.py`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from shared.client.wait_option import add_wait_option
from shared.dataset.spec_options import add_spec_options
from shared.security.credentials import add_security_options
from shared.system.command_line import CommandParser, positive, run_command
from trainer.distributed.placement import DEFAULT_MASTER_PORT
from trainer.page.metrics_option import add_metrics_options
from trainer.presets import PRESETS

_EXAMPLES = """\
examples:
  python -m trainer                                       train the fast preset on an embedded service
  python -m trainer --preset zoo                          the published recipe: 30 epochs of 781 steps
  python -m trainer --datagen 10.0.0.5:50051              train from a service that runs elsewhere
  python -m trainer --datagen datagen:50051 --tls-ca certs/ca.pem --token-file certs/token
  python -m trainer --run-dir run --resume                continue from the newest checkpoint
  python -m trainer --run-dir run --resume --steps 6000   train a finished run for longer
  python -m trainer --run-dir mine --datagen mine:50051 --init-from run -o augment=light
  python -m trainer --ranks 2                             two processes on this host, each with half of every batch
  python -m trainer --device ascend --rank-table rank_table.json
  python -m trainer --steps 200 -o batch_size=32          fewer steps, smaller batches
  python -m trainer -o max_captcha_digits=6 -o captcha_width=200
  python -m trainer --alphabet alphanumeric --min-length 5 --max-length 6 --width 200 --font A.ttf B.ttf
"""


def main(argv: Sequence[str]) -> int:
    """Runs one training; returns the exit code."""
    return run_command("trainer.training_run", build_parser().parse_args(argv))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = CommandParser(
        "python -m trainer", description="Trains a captcha recogniser on a streamed data set.", epilog=_EXAMPLES
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="fast", help="where the defaults come from")
    parser.add_argument("--config", type=Path, metavar="FILE.yaml", help="configuration keys to change")
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="one key to change"
    )
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    ranks = parser.add_mutually_exclusive_group()
    ranks.add_argument("--ranks", type=int, default=1, metavar="N", help="processes on this host, one per device")
    ranks.add_argument("--rank-table", type=Path, metavar="FILE", help="an HCCL rank table, 1.0 or 1.2, says which "
                       "rank runs where; with several servers, start the same command on each")  # fmt: skip
    parser.add_argument("--node-rank", type=int, metavar="N", help="this host's place in the rank table's server_list; "
                        "default: the server with an address of this host")  # fmt: skip
    parser.add_argument("--master-addr", metavar="HOST", help="where ranks connect; default: the server of rank 0")
    port = f"default: {DEFAULT_MASTER_PORT} with several servers, else a free one"
    parser.add_argument("--master-port", type=int, metavar="PORT", help=port)
    parser.add_argument("--datagen", metavar="TARGET", help="host:port of the service, or several joined by commas; "
                        "default: start one and stop it at the end")  # fmt: skip
    parser.add_argument("--patience", type=positive, default=60, metavar="S", help="seconds to retry a service that "
                        "does not answer; then the run is saved and ends; default: %(default)s")  # fmt: skip
    parser.add_argument("--run-dir", type=Path, default=Path("run"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --run-dir; with --steps or --epochs past its end"
    )
    parser.add_argument("--init-from", type=Path, metavar="FILE|RUN_DIR", help="start with the weights of another "
                        "run, where they fit: those of characters by character, for any alphabet")  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, metavar="N", help="the same as -o epoch_size=N")
    length.add_argument("--steps", type=int, metavar="N", help="the same as -o steps=N")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_spec_options(parser)
    add_metrics_options(parser)
    add_wait_option(parser)
    add_security_options(parser)
    return parser
