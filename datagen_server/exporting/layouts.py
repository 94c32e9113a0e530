"""How other projects store pictures and labels. To add a layout: a writer here, and its name in `LAYOUTS`.

    OUT/dict.txt, OUT/train/data.mdb     `ocr-lmdb`: the layout of deep-text-recognition-benchmark and MindOCR
    OUT/train/00017-4625.png             `png`: index and label, as the published example has them
    OUT/train/images/00017.png           `labels`: PaddleOCR and others; OUT/train/labels.txt has path, tab and label on
                                         each line, and OUT/dict.txt lies beside
    OUT/train-000000.tar                 `webdataset`: 00017.png and 00017.txt for each sample; OUT/dict.txt beside

In an OCR LMDB sample i has the keys `image-%09d` (the PNG file) and `label-%09d` (its text) with number i + 1, and
`num-samples` says how many there are. dict.txt holds the alphabet, a character a line, in the order of the classes.

Note: of an OCR LMDB only leaf directories hold data files and they hold nothing else, for
deep-text-recognition-benchmark takes every leaf directory below its root for an LMDB.
"""

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

import lmdb

from datagen_server.shards.record import max_payload_bytes
from shared.dataset.spec import Dataset

NUM_SAMPLES_KEY = b"num-samples"
DATA_NAME = "data.mdb"
DICTIONARY_NAME = "dict.txt"
LABELS_NAME = "labels.txt"
_PAGE_BYTES = 65_536
_SAMPLES_PER_TAR = 10_000

Sample = tuple[int, str, bytes]
"Index, text, PNG file."
Write = Callable[[Sequence[Sample]], None]
Layout = Callable[[Path, str, Dataset], AbstractContextManager[Write]]
"Called with OUT, a split and the data set; gives the function that takes all samples of the split in order."


def image_key(index: int) -> bytes:
    """Of the sample with that index; the numbers in the keys begin with 1."""
    return b"image-%09d" % (index + 1)


def label_key(index: int) -> bytes:
    """Of the sample with that index."""
    return b"label-%09d" % (index + 1)


@contextmanager
def _ocr_lmdb(out: Path, split: str, dataset: Dataset) -> Iterator[Write]:
    (out / split).mkdir()
    count = dataset.counts[split]
    map_size = (count + 64) * (max_payload_bytes(dataset.spec) + _PAGE_BYTES)
    with lmdb.open(str(out / split), lock=False, sync=False, map_size=map_size, mode=0o644, lib_version=0) as env:

        def write(samples: Sequence[Sample]) -> None:
            with env.begin(write=True) as transaction:
                for index, text, image in samples:
                    transaction.put(image_key(index), image)
                    transaction.put(label_key(index), text.encode())

        yield write
        with env.begin(write=True) as transaction:
            transaction.put(NUM_SAMPLES_KEY, str(count).encode())
        env.sync(True)


@contextmanager
def _png(out: Path, split: str, _: Dataset) -> Iterator[Write]:
    (out / split).mkdir()

    def write(samples: Sequence[Sample]) -> None:
        for index, text, image in samples:
            (out / split / f"{index:05d}-{text}.png").write_bytes(image)

    yield write


@contextmanager
def _labels(out: Path, split: str, _: Dataset) -> Iterator[Write]:
    folder = out / split / "images"
    folder.mkdir(parents=True)
    with open(out / split / LABELS_NAME, "w", encoding="utf-8", newline="\n") as labels:

        def write(samples: Sequence[Sample]) -> None:
            for index, text, image in samples:
                (folder / f"{index:05d}.png").write_bytes(image)
                labels.write(f"images/{index:05d}.png\t{text}\n")

        yield write


@contextmanager
def _webdataset(out: Path, split: str, _: Dataset) -> Iterator[Write]:
    def write(samples: Sequence[Sample]) -> None:
        number = samples[0][0] // _SAMPLES_PER_TAR
        with tarfile.open(out / f"{split}-{number:06d}.tar", "a", format=tarfile.USTAR_FORMAT) as archive:
            for index, text, image in samples:
                for suffix, data in (("png", image), ("txt", text.encode())):
                    member = tarfile.TarInfo(f"{index:06d}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))

    yield write


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {"ocr-lmdb": _ocr_lmdb, "png": _png, "labels": _labels, "webdataset": _webdataset}
)
