"""`preview`: a contact sheet of samples."""

import argparse
import json
from collections.abc import Sequence

import numpy as np

from datagen_server.commands.sample_lookup import look_up, save_image
from datagen_server.rendering.contact_sheet import contact_sheet
from datagen_server.rendering.glyphs import FONT_PATH
from shared.dataset.fonts import FontFiles
from shared.dataset.spec_options import spec_of
from shared.system.progress import progress


def run(options: argparse.Namespace) -> int:
    """Writes a contact sheet and prints where it is."""
    indices = range(options.first, options.first + options.num_samples)
    with progress("preview", len(indices), "samples") as advance:
        _, samples = look_up(options, indices, advance)
        captions = [sample.text for sample in samples]
        images = np.stack([sample.image for sample in samples])
        sheet = contact_sheet(images, captions, font_path=_caption_font(options, captions))
        save_image(sheet, options.out)
    facts = {"out": str(options.out), "split": options.split, "first": options.first, "count": len(samples)}
    line = f"{options.out}: {len(samples)} samples of {options.split}, from index {options.first}"
    print(json.dumps(facts) if options.json else line)
    return 0


def _caption_font(options: argparse.Namespace, captions: Sequence[str]) -> str:
    """The captcha library's own font; for what it has no letters for, the first of the data set's or of --font."""
    files = FontFiles.read(options.fonts) if options.datagen or options.shards else spec_of(options).font_files
    return str(files.files[0].path) if files.files and not "".join(captions).isascii() else FONT_PATH
