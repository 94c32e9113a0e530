"""Samples for `preview` and `inspect`: from a service, from shards, or rendered here."""

import argparse
from collections.abc import Sequence
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


def look_up(options: argparse.Namespace, indices: Sequence[int]) -> tuple[Dataset, Sequence[Sample]]:
    """The data set that the options name, and its samples of `indices`; raises `InvalidRequest` or `NotFound`."""
    security = security_of(options, options.datagen)
    if options.datagen:
        check_no_spec_options(options, "--datagen")
        with connect(options.datagen, security=security) as client:
            return client.dataset, client.samples(options.split, indices)
    with open_source(options, num_workers=1) as source:
        check_indices(source.dataset, options.split, indices)
        records = source.read(options.split, np.array(indices, np.uint64), Codec.RAW).result()
        spec = source.dataset.spec
        return source.dataset, samples_of(samples_message(indices, records, source.dataset), Codec.RAW, spec)


def save_image(image: Image.Image, path: Path) -> None:
    """Writes an image in the format of the file's suffix; raises `UsageError` when it cannot."""
    try:
        image.save(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error
