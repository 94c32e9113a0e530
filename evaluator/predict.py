"""`python -m evaluator predict`: what a checkpoint reads in pictures of one's own."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluator.image_file import Picture, open_picture, shown
from shared.errors import UsageError
from shared.system.command_line import CommandParser, progress
from shared.system.signals import uninterrupted

if TYPE_CHECKING:
    from shared.recogniser.predictor import Recogniser

_EXAMPLES = """\
examples:
  python -m evaluator predict captcha.png                     with the newest checkpoint of ./run
  python -m evaluator predict *.png --ckpt demo/run --json
  python -m datagen_server inspect --split test --index 7 --out seven.png   makes one to try

The network knows captchas like those it was trained on. A picture of another size is
resized, a transparent one laid on white.
"""


def main(argv: Sequence[str]) -> int:
    """Reads pictures: 0, or 2 when one of the files could not be read, after those that could."""
    options = _parser().parse_args(argv)
    with uninterrupted():
        from shared.recogniser.checkpoint import find_checkpoint, read_info
        from shared.recogniser.device import set_device
        from shared.recogniser.predictor import Recogniser

    checkpoint = find_checkpoint(options.ckpt)
    info = read_info(checkpoint)
    spec = info.dataset_spec()
    set_device(options.device)
    pictures, problems = _open_all(options.images, spec.width, spec.height)
    readings: list[tuple[str, float]] = []
    if pictures:
        with uninterrupted():
            recogniser = Recogniser(checkpoint, info, options.device)
            recogniser.warm_up()
        readings = _read_all(recogniser, pictures)
    if options.json:
        print(json.dumps(_told(checkpoint, pictures, readings, problems)))
    else:
        _show(pictures, readings)
    return UsageError.exit_code if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "python -m evaluator predict", description="Reads PNG and JPEG pictures of your own.", epilog=_EXAMPLES
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a PNG or JPEG file")
    parser.add_argument("--ckpt", type=Path, default=Path("run"), metavar="FILE|RUN_DIR",
                        help="a run means its newest checkpoint; default: %(default)s")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="where the network runs; "
                        "gpu and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _open_all(files: Sequence[Path], width: int, height: int) -> tuple[list[Picture], list[tuple[Path, str]]]:
    """The pictures that can be read; the others with their problem, which is also said at once."""
    pictures, problems = [], []
    for file in files:
        try:
            pictures.append(open_picture(file, width, height))
        except UsageError as error:
            print(f"predict: {error}", file=sys.stderr)
            problems.append((file, str(error)))
    return pictures, problems


def _read_all(recogniser: "Recogniser", pictures: Sequence[Picture]) -> list[tuple[str, float]]:
    from shared.recogniser.predictor import WIDTH

    readings: list[tuple[str, float]] = []
    with progress("predict", len(pictures), "pictures") as advance:
        for first in range(0, len(pictures), WIDTH):
            group = pictures[first : first + WIDTH]
            readings += recogniser.read_images(np.stack([picture.image for picture in group]))
            advance(len(group))
    return readings


def _told(
    checkpoint: Path,
    pictures: Sequence[Picture],
    readings: Sequence[tuple[str, float]],
    problems: Sequence[tuple[Path, str]],
) -> dict[str, Any]:
    """What --json prints."""
    return {
        "checkpoint": str(checkpoint),
        "images": [
            {"file": shown(picture.file), "reading": reading, "confidence": confidence, "resized": picture.is_resized}
            for picture, (reading, confidence) in zip(pictures, readings, strict=True)
        ],
        "problems": [{"file": shown(file), "problem": problem} for file, problem in problems],
    }


def _show(pictures: Sequence[Picture], readings: Sequence[tuple[str, float]]) -> None:
    """A line for each picture: file, reading, confidence, and whether it was resized."""
    name_width = max((len(shown(picture.file)) for picture in pictures), default=0)
    for picture, (reading, confidence) in zip(pictures, readings, strict=True):
        height, width, _ = picture.image.shape
        resized = f"  resized from {picture.was[0]}x{picture.was[1]} to {width}x{height}" if picture.is_resized else ""
        text = reading or "(nothing)"
        print(f"{shown(picture.file):{name_width}}  {text:9}  {confidence:6.1%} sure{resized}")
