"""`inspect`: one sample."""

import argparse
import json
from hashlib import sha256

from PIL import Image

from datagen_server.commands.sample_lookup import look_up, save_image


def run(options: argparse.Namespace) -> int:
    """Prints the facts of one sample."""
    dataset, (sample,) = look_up(options, [options.index])
    if options.out:
        save_image(Image.fromarray(sample.image), options.out)
    height, width, _ = sample.image.shape
    facts = {
        "split": options.split,
        "index": sample.index,
        "text": sample.text,
        "width": width,
        "height": height,
        "sha256": sha256(sample.image.tobytes()).hexdigest(),
        "fingerprint": dataset.fingerprint,
    }
    print(json.dumps(facts) if options.json else "\n".join(f"{name:12} {value}" for name, value in facts.items()))
    return 0
