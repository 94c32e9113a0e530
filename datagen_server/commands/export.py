"""`export`: stored samples in the layout of another project."""

import argparse
import json
from contextlib import closing
from functools import partial

from datagen_server.commands.open_source import open_stored
from datagen_server.exporting.export import export
from shared.system.progress import progress


def run(options: argparse.Namespace) -> int:
    """Writes samples in the layout of another project."""
    with closing(open_stored(options.shards)) as source:
        num_samples = export(
            source, options.out, options.layout, options.splits, partial(progress, "export", unit="samples")
        )
    facts = {"samples": num_samples, "format": options.layout, "out": str(options.out)}
    print(json.dumps(facts) if options.json else f"{options.out}: {num_samples:,} samples as {options.layout}")
    return 0
