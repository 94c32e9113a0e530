"""Samples for `preview` and `inspect`: from a service, from shards, or rendered here."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from datagen_server.commands.open_source import open_source
from shared.client import connect
from shared.dataset.spec import Dataset
from shared.dataset.spec_options import check_no_spec_options
from shared.errors import UsageError
from shared.protocol.batch import Sample
from shared.protocol.codec import Codec
from shared.protocol.messages import samples_message, samples_of
from shared.protocol.request import check_indices
from shared.security.credentials import security_of

_PART = 64
"Samples that are read at a time."


def look_up(
    options: argparse.Namespace, indices: Sequence[int], advance: Callable[[int], object] = lambda _: None
) -> tuple[Dataset, Sequence[Sample]]:
    """The data set that the options name, and its samples of `indices`; raises `InvalidRequest` or `NotFound`.

    advance: is called with how many more samples there are.
    """
    security = security_of(options, options.datagen)
    parts = [indices[first : first + _PART] for first in range(0, len(indices), _PART)]
    samples: list[Sample] = []
    if options.datagen:
        check_no_spec_options(options, "--datagen")
        with connect(options.datagen, security=security) as client:
            check_indices(client.dataset, options.split, indices)
            for part in parts:
                samples += client.samples(options.split, part)
                advance(len(part))
            return client.dataset, samples
    with open_source(options, num_workers=1) as source:
        check_indices(source.dataset, options.split, indices)
        spec = source.dataset.spec
        reads = [source.read(options.split, np.array(part, np.uint64), Codec.RAW) for part in parts]
        for part, read in zip(parts, reads, strict=True):
            samples += samples_of(samples_message(part, read.result(), source.dataset), Codec.RAW, spec)
            advance(len(part))
        return source.dataset, samples


def save_image(image: Image.Image, path: Path) -> None:
    """Writes an image in the format of the file's suffix; raises `UsageError` when it cannot."""
    try:
        image.save(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error
