"""A trained network as one MINDIR file, which MindSpore and MindSpore Lite run without this project.

The file takes images as the service sends them, uint8 [n, height, width, 3] RGB with any n, and gives logits float32
[frames, n, classes], the blank last. What surprises: MindSpore writes the operators of the device it exports on, so a
file for Ascend is exported with `--device ascend` (by the documents; not run on a device).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.errors import UsageError
from shared.system.command_line import CommandParser, run
from shared.system.signals import uninterrupted

_EXAMPLES = """\
examples:
  python -m trainer.export --ckpt run --out captcha.mindir                  the newest checkpoint of a run
  python -m trainer.export --ckpt run/checkpoints/warpctc-1-500.ckpt --out captcha.mindir

to load it again:
  graph = mindspore.nn.GraphCell(mindspore.load("captcha.mindir"))
  logits = graph(mindspore.Tensor(images))                                  uint8 [n, height, width, 3]
"""


def main(argv: Sequence[str]) -> int:
    """Exports one checkpoint."""
    options = _parser().parse_args(argv)
    # MindSpore takes seconds to import: --help and a mistyped flag do not wait for it.
    _check_out(options.out)
    with uninterrupted():
        from shared.recogniser.checkpoint import find_checkpoint
        from shared.recogniser.device import set_device

        checkpoint = find_checkpoint(options.ckpt)
        set_device(options.device)
        print(f"exporting {checkpoint}", file=sys.stderr, flush=True)
        written = _export(checkpoint, options.out)
    if options.json:
        print(json.dumps(written))
    else:
        shapes = f"uint8 {written['input_shape']} -> float32 {written['output_shape']}".replace("None", "n")
        print(f"{written['mindir']}  {written['size_bytes']:,} bytes  {shapes}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "python -m trainer.export", description="Writes a trained network as a MINDIR file.", epilog=_EXAMPLES
    )
    parser.add_argument(
        "--ckpt", type=Path, required=True, metavar="FILE|RUN_DIR", help="a run means its newest checkpoint"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.mindir", help="replaced if it is there")
    parser.add_argument("--device", choices=("cpu", "gpu", "ascend"), default="cpu", help="what the file is for; gpu "
                        "and ascend follow their documents and were not run on a device")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was written as one JSON object")
    return parser


def _check_out(out: Path) -> None:
    """Before the work, not after it."""
    if out.suffix != ".mindir":
        raise UsageError(f"--out must end with .mindir, got {out}")
    if out.is_dir():
        raise UsageError(f"--out must be a file, but {out} is a folder")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"cannot write {out}: there is no folder {out.absolute().parent}; make it first")


def _export(checkpoint: Path, out: Path) -> dict[str, Any]:
    import mindspore as ms

    from shared.recogniser.hub import NAME, create_network

    network = create_network(NAME, checkpoint=checkpoint)
    network.set_train(False)
    spec = network.spec
    input_shape = [None, spec.height, spec.width, 3]
    images = ms.Tensor(shape=input_shape, dtype=ms.uint8)
    unfinished = out.with_name(f"unfinished-{out.name}")
    try:
        ms.export(network, images, file_name=str(unfinished), file_format="MINDIR")
        unfinished.chmod(0o644)
        unfinished.replace(out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return {
        "mindir": str(out),
        "checkpoint": str(checkpoint),
        "size_bytes": out.stat().st_size,
        "input_shape": input_shape,
        "output_shape": [spec.num_frames, None, spec.num_classes],
    }


if __name__ == "__main__":
    run(main, "export")
