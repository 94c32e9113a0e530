"""The evaluator's command line. What it does is in `evaluation_run.py`, and for `predict` in `prediction_run.py`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from evaluator import predict
from shared.client.wait_option import add_wait_option
from shared.dataset.spec_options import add_font_option
from shared.security.credentials import add_security_options
from shared.system.command_line import CommandParser, positive, run_command

_EXAMPLES = """\
examples:
  python -m evaluator --ckpt run                           the newest checkpoint, on an embedded service
  python -m evaluator --ckpt run --datagen 10.0.0.5:50051  on the test split of a service
  python -m evaluator --ckpt run --report report           and an HTML report: figures, charts, the worst errors
  python -m evaluator --ckpt run --best --report report    the best checkpoint of the run, and accuracy by step
  python -m evaluator --ckpt run --min-accuracy 0.99       as a gate: exit code 1 below that
  python -m evaluator predict one.png two.jpg --ckpt run   predict the text of your own images
"""


def main(argv: Sequence[str]) -> int:
    """Evaluates one checkpoint: 0, or 1 when it does not reach --min-accuracy. `predict` is a command of its own."""
    if argv[:1] == ["predict"]:
        return predict.main(argv[1:])
    return run_command("evaluator.evaluation_run", build_parser().parse_args(argv))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = CommandParser(
        "python -m evaluator",
        description="Evaluates a trained checkpoint on a split, every sample exactly once.\n"
        "python -m evaluator predict --help: predict the text of your own images.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--ckpt",
        type=Path,
        required=True,
        metavar="RUN_DIR|FILE",
        help="the newest checkpoint of a run, RUN/best.json for the best one on its validation split, or a .ckpt file",
    )
    parser.add_argument("--best", action="store_true", help="evaluate every checkpoint that the run has kept, "
                        "and report the one with the highest exact match")  # fmt: skip
    parser.add_argument("--datagen", metavar="TARGET", help="host:port of the service, or several joined by commas; "
                        "default: start one and stop it at the end")  # fmt: skip
    parser.add_argument("--split", default="test", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--batch-size", type=positive, default=64, metavar="N", help="samples in one message; "
                        "changes no figure; default: %(default)s")  # fmt: skip
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write index.html, report.json and timing.json there"
    )
    parser.add_argument(
        "--min-accuracy", type=_fraction, metavar="X", help="exit code 1 when exact match is below, 0..1"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    add_font_option(parser, "where they are not where they were in training")
    add_wait_option(parser)
    add_security_options(parser)
    return parser


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a fraction in 0..1, such as 0.99, got {text!r}")
    return value
