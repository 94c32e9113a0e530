"""Samples in the layouts of other projects: an OCR LMDB for each split, or plain PNG files.

    OUT/dict.txt, OUT/train/data.mdb     `ocr-lmdb`: the layout of deep-text-recognition-benchmark and MindOCR
    OUT/train/00017-4625.png             `png`: index and label, as the published example has them

In an OCR LMDB sample i has the keys `image-%09d` (the PNG file) and `label-%09d` (its text) with number i + 1, and
`num-samples` says how many there are. dict.txt holds the alphabet, a character a line, in the order of the classes.

Note: OUT appears when everything is written, and not before. Only leaf directories hold data files, and nothing else,
because deep-text-recognition-benchmark reads every leaf directory below its root as an LMDB.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import lmdb
import numpy as np

from datagen_server.shards.materialize import OpenProgress, quiet
from datagen_server.shards.record import max_payload_bytes
from datagen_server.sources.sample_source import SampleSource
from shared.errors import NotFound, UsageError
from shared.protocol.batch import text_of
from shared.protocol.codec import Codec
from shared.system.atomic_file import atomic_path, write_error
from shared.system.cpu_limit import num_cores

NUM_SAMPLES_KEY = b"num-samples"
DATA_NAME = "data.mdb"
DICTIONARY_NAME = "dict.txt"
_AT_ONCE = 64
_PAGE_BYTES = 65_536

_Sample = tuple[int, str, bytes]


def image_key(index: int) -> bytes:
    """Of the sample with that index; the numbers in the keys begin with 1."""
    return b"image-%09d" % (index + 1)


def label_key(index: int) -> bytes:
    """Of the sample with that index."""
    return b"label-%09d" % (index + 1)


def export(
    source: SampleSource, out: Path, layout: str, splits: Collection[str], open_progress: OpenProgress = quiet
) -> int:
    """Writes `splits` (none: all) of `source` to `out`, which must not exist or be empty; returns how many samples.

    layout: 'ocr-lmdb' or 'png'; open_progress: see `materialize`. Raises `UsageError` for what cannot be written there,
    `DataLoss` for damaged samples.
    """
    dataset = source.dataset
    for name in splits:
        if name not in dataset.counts:
            raise NotFound(f"there is no split {name}; this data set has {', '.join(dataset.counts)}")
    if layout == "png" and "/" in dataset.spec.alphabet:
        raise UsageError("the alphabet has a /, which no file name can hold; export as ocr-lmdb")
    chosen = [name for name in dataset.counts if not splits or name in splits]
    num_samples = sum(dataset.counts[split] for split in chosen)
    with _appearing(out) as partial, open_progress(num_samples) as advance:
        for split in chosen:
            (partial / split).mkdir()
            writer = _write_png if layout == "png" else _write_ocr_lmdb
            writer(source, split, partial / split, advance)
        if layout != "png":
            (partial / DICTIONARY_NAME).write_text("".join(f"{character}\n" for character in dataset.spec.alphabet))
    return num_samples


def _write_ocr_lmdb(source: SampleSource, split: str, folder: Path, advance: Callable[[int], None]) -> None:
    count = source.dataset.counts[split]
    map_size = (count + 64) * (max_payload_bytes(source.dataset.spec) + _PAGE_BYTES)
    with lmdb.open(str(folder), lock=False, sync=False, map_size=map_size, mode=0o644, lib_version=0) as env:
        for samples in _samples(source, split):
            with env.begin(write=True) as transaction:
                for index, text, image in samples:
                    transaction.put(image_key(index), image)
                    transaction.put(label_key(index), text.encode())
            advance(len(samples))
        with env.begin(write=True) as transaction:
            transaction.put(NUM_SAMPLES_KEY, str(count).encode())
        env.sync(True)


def _write_png(source: SampleSource, split: str, folder: Path, advance: Callable[[int], None]) -> None:
    for samples in _samples(source, split):
        for index, text, image in samples:
            (folder / f"{index:05d}-{text}.png").write_bytes(image)
        advance(len(samples))


def _samples(source: SampleSource, split: str) -> Iterator[list[_Sample]]:
    """All samples of a split in order, encoded as PNG by as many threads as there are cores."""
    count = source.dataset.counts[split]
    num_threads = num_cores()
    with ThreadPoolExecutor(num_threads) as threads:
        for first in range(0, count, num_threads * _AT_ONCE):
            starts = range(first, min(first + num_threads * _AT_ONCE, count), _AT_ONCE)
            yield from threads.map(lambda start: _read(source, split, start), starts)


def _read(source: SampleSource, split: str, start: int) -> list[_Sample]:
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
