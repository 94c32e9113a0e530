"""`python -m evaluator predict`: the text of a user's own pictures. What it does is in `prediction_run.py`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from shared.system.command_line import CommandParser, run_command

_EXAMPLES = """\
examples:
  python -m evaluator predict captcha.png                     with the newest checkpoint of ./run
  python -m evaluator predict pictures --ckpt demo/run/best.json --csv predictions.csv
  find . -name '*.png' | python -m evaluator predict - --json
  python -m evaluator predict captcha.png --ckpt captcha.onnx   an exported network
  python -m datagen_server inspect --split test --index 7 --out seven.png   makes one to try

The network knows captchas like those it was trained on. A picture of another size is
fitted as an import fits it, a transparent one is put on the same ground.
"""


def main(argv: Sequence[str]) -> int:
    """Predicts: 0, or 2 when a file could not be used, after those that could."""
    return run_command("evaluator.prediction_run", _parser().parse_args(argv))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "python -m evaluator predict", description="Predicts the text of your own pictures.", epilog=_EXAMPLES
    )
    parser.add_argument("pictures", nargs="+", metavar="FILE|DIR|-", help="PNG, JPEG, WebP, BMP or GIF files, folders "
                        "of them, or - for a list of either on standard input, one a line")  # fmt: skip
    parser.add_argument("--ckpt", type=Path, default=Path("run"), metavar="RUN_DIR|FILE", help="the newest "
                        "checkpoint of a run, RUN/best.json for its best one, a .ckpt or an .onnx file; "
                        "default: %(default)s")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where a checkpoint runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--csv", type=Path, metavar="FILE.csv", help="write a line for each file there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
