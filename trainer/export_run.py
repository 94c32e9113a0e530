"""What `python -m trainer.export` does once its arguments are read."""

import argparse
import json

from shared.system.progress import announced
from shared.system.signals import uninterrupted


def run(options: argparse.Namespace) -> int:
    """Exports one checkpoint, and says what was written."""
    with announced("compiling the network"), uninterrupted():
        # MindSpore takes seconds to import, which this announces.
        from trainer.export_formats import export_mindir, export_onnx

        export = export_onnx if options.out.suffix == ".onnx" else export_mindir
        written = export(options.ckpt, options.out, options.device)
    if options.json:
        print(json.dumps(written))
    else:
        shapes = f"uint8 {written['input_shape']} -> float32 {written['output_shape']}".replace("None", "n")
        print(f"{written['file']}  {written['size_bytes']:,} bytes  {shapes}")
    return 0
