"""`python -m trainer.export`: writes a trained network as one file: MINDIR for MindSpore and MindSpore Lite, or ONNX.

To run it, nothing of this project is needed. It takes images as the service sends them, uint8 [n, height, width, 3] RGB
with any n, and gives logits float32 [frames, n, classes], the blank last. Note: MindSpore writes the operators of the
device it exports on, so a MINDIR for Ascend is exported with `--device ascend` (by the documents; not run on a
device). An ONNX file is the same for every device.
"""

if __name__ == "__main__":
    from shared.system.signals import end_at_once_on_interrupt

    end_at_once_on_interrupt()

import argparse
from collections.abc import Sequence
from pathlib import Path

from shared.errors import UsageError
from shared.system.command_line import CommandParser, run, run_command

_EXAMPLES = """\
examples:
  python -m trainer.export --ckpt run --out captcha.mindir                  the newest checkpoint of a run
  python -m trainer.export --ckpt run/best.json --out captcha.onnx          the best one, for onnxruntime and others

to load them again:
  python -m evaluator predict captcha.png --ckpt captcha.onnx
  graph = mindspore.nn.GraphCell(mindspore.load("captcha.mindir"))
  logits = graph(mindspore.Tensor(images))                                  uint8 [n, height, width, 3]
"""


def main(argv: Sequence[str]) -> int:
    """Exports one checkpoint."""
    options = _parser().parse_args(argv)
    _check_out(options.out)  # Before the work, not after it.
    return run_command("trainer.export_run", options)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "python -m trainer.export", description="Writes a trained network as a MINDIR or ONNX file.", epilog=_EXAMPLES
    )
    parser.add_argument(
        "--ckpt",
        type=Path,
        required=True,
        metavar="FILE|RUN_DIR",
        help="a run means its newest checkpoint, RUN/best.json its best",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.mindir|FILE.onnx", help="replaced if it is there"
    )
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="what the file is for; gpu "
                        "and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was written as one JSON object")
    return parser


def _check_out(out: Path) -> None:
    """Raises `UsageError` when nothing can be written there."""
    if out.suffix not in (".mindir", ".onnx"):
        raise UsageError(f"--out must end with .mindir or .onnx, got {out}")
    if out.is_dir():
        raise UsageError(f"--out must be a file, but {out} is a folder")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.absolute().parent}; make it first")


if __name__ == "__main__":
    run(main, "export")
