"""`preview`: a contact sheet of samples."""

import argparse
import json

import numpy as np

from datagen_server.commands.sample_lookup import look_up, save_image
from datagen_server.rendering.contact_sheet import contact_sheet


def run(options: argparse.Namespace) -> int:
    """Writes a contact sheet and prints where it is."""
    indices = range(options.first, options.first + options.num_samples)
    _, samples = look_up(options, indices)
    sheet = contact_sheet(np.stack([sample.image for sample in samples]), [sample.text for sample in samples])
    save_image(sheet, options.out)
    facts = {"out": str(options.out), "split": options.split, "first": options.first, "count": len(samples)}
    line = f"{options.out}: {len(samples)} samples of {options.split}, from index {options.first}"
    print(json.dumps(facts) if options.json else line)
    return 0
