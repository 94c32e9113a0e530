"""`python -m evaluator predict`: the text of a user's own images. What it does is in `prediction_run.py`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from shared.system.command_line import CommandParser
from shared.system.signals import uninterrupted

_EXAMPLES = """\
examples:
  python -m evaluator predict captcha.png                     with the newest checkpoint of ./run
  python -m evaluator predict *.png --ckpt demo/run --json
  python -m datagen_server inspect --split test --index 7 --out seven.png   makes one to try

The network knows captchas like those it was trained on. An image of another size is
resized, a transparent one is put on white.
"""


def main(argv: Sequence[str]) -> int:
    """Predicts: 0, or 2 when a file could not be used, after those that could."""
    options = _parser().parse_args(argv)
    # MindSpore takes seconds to import: --help and a mistyped flag do not wait for it.
    with uninterrupted():
        from evaluator.prediction_run import run
    return run(options)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "python -m evaluator predict", description="Predicts the text of your own PNG and JPEG images.",
        epilog=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a PNG or JPEG file")
    parser.add_argument("--ckpt", type=Path, default=Path("run"), metavar="FILE|RUN_DIR",
                        help="a run means its newest checkpoint; default: %(default)s")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
