"""Samples in the layouts of other projects; see `layouts` for what they look like. `import` reads each of them back.

Note: OUT appears when all is written, and not before.
"""

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import lmdb
import numpy as np

from datagen_server.exporting.layouts import DICTIONARY_NAME, LAYOUTS, Sample
from datagen_server.shards.materialize import OpenProgress, quiet
from datagen_server.sources.sample_source import SampleSource
from shared.errors import NotFound, UsageError
from shared.protocol.batch import text_of
from shared.protocol.codec import Codec
from shared.system.atomic_file import atomic_path, write_error
from shared.system.limits import num_cores

_AT_ONCE = 64


def export(
    source: SampleSource, out: Path, layout: str, splits: Collection[str], open_progress: OpenProgress = quiet
) -> int:
    """Writes `splits` (none: all) of `source` to `out`, which must not exist or be empty; returns how many samples.

    layout: a name in `LAYOUTS`; open_progress: see `materialize`. Raises `UsageError` for what cannot be written there,
    `DataLoss` for damaged samples.
    """
    dataset = source.dataset
    for name in splits:
        if name not in dataset.counts:
            raise NotFound(f"there is no split {name}; this data set has {', '.join(dataset.counts)}")
    if layout == "png" and "/" in dataset.spec.alphabet:
        raise UsageError("the alphabet has a /, which no file name can hold; export as ocr-lmdb or labels")
    chosen = [name for name in dataset.counts if not splits or name in splits]
    num_samples = sum(dataset.counts[split] for split in chosen)
    with _appearing(out) as partial, open_progress(num_samples) as advance:
        for split in chosen:
            with LAYOUTS[layout](partial, split, dataset) as write:
                for samples in _samples(source, split):
                    write(samples)
                    advance(len(samples))
        if layout != "png":
            text = "".join(f"{character}\n" for character in dataset.spec.alphabet)
            (partial / DICTIONARY_NAME).write_text(text, encoding="utf-8")
    return num_samples


def _samples(source: SampleSource, split: str) -> Iterator[list[Sample]]:
    """All samples of a split in order, encoded as PNG by as many threads as there are cores."""
    count = source.dataset.counts[split]
    num_threads = num_cores()
    with ThreadPoolExecutor(num_threads) as threads:
        for first in range(0, count, num_threads * _AT_ONCE):
            starts = range(first, min(first + num_threads * _AT_ONCE, count), _AT_ONCE)
            yield from threads.map(lambda start: _read(source, split, start), starts)


def _read(source: SampleSource, split: str, start: int) -> list[Sample]:
    indices = np.arange(start, min(start + _AT_ONCE, source.dataset.counts[split]), dtype=np.uint64)
    records = source.read(split, indices, Codec.PNG).result()
    joined = b"".join(records.payloads)
    ends = np.cumsum(records.image_sizes).tolist()
    texts = [text_of(label, source.dataset.spec.alphabet) for label in records.labels]
    starts = [0, *ends[:-1]]
    return [
        (index, text, joined[low:high])
        for index, text, low, high in zip(indices.tolist(), texts, starts, ends, strict=True)
    ]


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A directory to write to, which becomes `out` at the end of the block, or vanishes when it fails."""
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} is there already and not empty; name another --out")
        with atomic_path(out) as partial:
            partial.mkdir(parents=True)
            yield partial
    except (OSError, lmdb.Error) as error:
        raise write_error(out, error) from error
