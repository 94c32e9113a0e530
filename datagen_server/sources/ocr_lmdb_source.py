"""People's own captchas: an OCR LMDB (see `export` for its layout) as a `SampleSource`.

    DIR/data.mdb                           one split, called train
    DIR/train/data.mdb, DIR/test/data.mdb  a split for each directory
    DIR/dict.txt                           optional: the alphabet; otherwise the characters that occur, sorted

Note: opening reads every label and digests the files, for the alphabet and the fingerprint are facts about
all samples: some seconds for each million labels, one for each gigabyte. Images are decoded on every read, and all must
have the size of the first. Resizing would be a choice, and it is the owner's.
"""

import hashlib
import io
import os
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen_server.exporting.export import DATA_NAME, DICTIONARY_NAME, NUM_SAMPLES_KEY, image_key, label_key
from datagen_server.shards.lmdb_reader import Entry, Tree
from datagen_server.sources.sample_source import DamageCounts
from shared.dataset.spec import Dataset, DatasetSpec
from shared.errors import DataLoss, Unavailable, UsageError
from shared.protocol.batch import Records, label_of
from shared.protocol.codec import Codec, encode
from shared.system.cpu_limit import num_cores

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_MAX_VALUE_BYTES = 2**26
_BOMBS = Image.DecompressionBombError, Image.DecompressionBombWarning
_MAX_SIDE = 1024
"As in a `DatasetSpec`."
_ONLY_SPLIT = "train"


def ocr_lmdb_splits(directory: Path) -> Mapping[str, Path]:
    """The data files in `directory` by split; empty when it holds no OCR LMDB. `UsageError` when it cannot be read."""
    try:
        if (directory / DATA_NAME).is_file():
            return {_ONLY_SPLIT: directory / DATA_NAME}
        return {path.parent.name: path for path in sorted(directory.glob(f"*/{DATA_NAME}"))}
    except OSError as error:
        raise UsageError(f"cannot read {directory}: {error.strerror}") from error


class OcrLmdbSource:
    """Serves the OCR LMDBs in `directory`; raises `UsageError` naming the first thing that cannot be served."""

    codecs = tuple(Codec)
    kind = "ocr-lmdb"
    is_rendered = False

    def __init__(self, directory: Path) -> None:
        paths = ocr_lmdb_splits(directory)
        if not paths:
            raise UsageError(f"{directory} holds no {DATA_NAME}; name a directory with an OCR LMDB for each split")
        self._files = {split: OcrFile(path) for split, path in paths.items()}
        spec = _spec_of(list(self._files.values()), directory / DICTIONARY_NAME)
        counts = {split: file.count for split, file in self._files.items()}
        digests = [spec.digest(), *(f"{split} {file.sha256()}" for split, file in self._files.items())]
        fingerprint = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        self.dataset = Dataset(spec=spec, counts=counts, fingerprint=fingerprint)
        self.damage = DamageCounts()
        self._readers = ThreadPoolExecutor(num_cores(), "read-ocr-lmdb")

    def read(self, split: str, indices: NDArray[np.uint64], codec: Codec) -> "Future[Records]":
        """See `SampleSource`."""
        try:
            return self._readers.submit(self._read, self._files[split], indices, codec)
        except RuntimeError:
            failed: Future[Records] = Future()
            failed.set_exception(Unavailable("the OCR LMDB has been closed"))
            return failed

    def close(self) -> None:
        """Closes the files; reads under way are finished, later ones raise `Unavailable`."""
        self._readers.shutdown()
        for file in self._files.values():
            file.close()

    def _read(self, file: "OcrFile", indices: NDArray[np.uint64], codec: Codec) -> Records:
        spec = self.dataset.spec
        labels = np.empty((len(indices), spec.max_length), np.uint8)
        payloads = []
        for label, index in zip(labels, indices.tolist(), strict=True):
            label[:] = _label_of(file.text(index), spec)
            payloads.append(encode(file.image(index, spec.image_shape), codec))
        sizes = [] if codec is Codec.RAW else [len(payload) for payload in payloads]
        return Records(codec, payloads, np.array(sizes, np.uint32), labels)


class OcrFile:
    """One split. Any number of threads may read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise UsageError(f"cannot open {path}: {error.strerror}") from error
        self.close = weakref.finalize(self, os.close, self._fd)
        try:
            self._tree = Tree(self._fd)
            self.count = int(self._value(NUM_SAMPLES_KEY))
            if self.count < 1:
                raise ValueError(f"it says that it has {self.count} samples")
        except (DataLoss, ValueError) as error:
            raise UsageError(f"{path} is not an OCR LMDB: {error}") from error

    def text(self, index: int) -> str:
        """The label of a sample; raises `DataLoss`."""
        return self._decode(label_key(index), self._value(label_key(index)))

    def texts(self) -> Iterator[tuple[bytes, str]]:
        """All labels in order, with their keys; raises `DataLoss` for the first that is missing."""
        page: dict[bytes, Entry] = {}
        for index in range(self.count):
            key = label_key(index)
            if key not in page:
                page = {entry.key: entry for entry in self._tree.leaf(key)}
            yield key, self._decode(key, self._read(key, page.get(key)))

    def image(self, index: int, shape: tuple[int, int, int] | None) -> NDArray[np.uint8]:
        """uint8 [height, width, 3], RGB; raises `DataLoss` when it is no image of that shape (None: any)."""
        key = image_key(index)
        try:
            with Image.open(io.BytesIO(self._value(key)), formats=_FORMATS) as picture:
                if max(picture.size) > _MAX_SIDE:  # Before it is decoded: a few bytes can claim gigabytes.
                    raise ValueError(f"it has {picture.width}x{picture.height} pixels, more than {_MAX_SIDE} a side")
                if shape and (picture.height, picture.width) != shape[:2]:
                    raise ValueError(f"it has {picture.width}x{picture.height} pixels, not {shape[1]}x{shape[0]}")
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, *_BOMBS) as error:
            raise DataLoss(f"{self._path}: {key.decode()} cannot be used as an image: {error}") from error

    def sha256(self) -> str:
        """Of the whole file, in hex."""
        with open(self._path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _value(self, key: bytes) -> bytes:
        return self._read(key, self._tree.find(key))

    def _read(self, key: bytes, entry: Entry | None) -> bytes:
        if entry is None or entry.size > _MAX_VALUE_BYTES:
            raise DataLoss(f"{self._path}: {key.decode()} is missing")
        try:
            value = os.pread(self._fd, entry.size, entry.offset)
        except OSError as error:
            raise DataLoss(f"{self._path}: {key.decode()} cannot be read: {error.strerror}") from error
        if len(value) < entry.size:
            raise DataLoss(f"{self._path}: {key.decode()} is cut off")
        return value

    def _decode(self, key: bytes, value: bytes) -> str:
        try:
            return value.decode("ascii")
        except UnicodeDecodeError as error:
            raise DataLoss(f"{self._path}: {key.decode()} must be ASCII, got {value!r}") from error


def _label_of(text: str, spec: DatasetSpec) -> NDArray[np.uint8]:
    try:
        return label_of(text, spec.alphabet, spec.max_length)
    except ValueError as error:
        raise DataLoss(f"the label {text!r} was not there when the file was opened; open it again") from error


def _spec_of(files: list[OcrFile], dictionary: Path) -> DatasetSpec:
    """The spec that holds all samples: size of the first image, characters and lengths of all labels."""
    try:
        height, width, _ = files[0].image(0, None).shape
        occurring, lengths = set[str](), set[int]()
        for file in files:
            for key, text in file.texts():
                if not text:
                    raise DataLoss(f"{key.decode()} is empty; a label needs a character")
                occurring.update(text)
                lengths.add(len(text))
    except DataLoss as error:
        raise UsageError(str(error)) from error
    alphabet = dictionary.read_text().replace("\n", "") if dictionary.exists() else "".join(sorted(occurring))
    if unknown := occurring - set(alphabet):
        raise UsageError(f"{dictionary} lacks {min(unknown)!r}, which occurs in the labels")
    return DatasetSpec(width=width, height=height, alphabet=alphabet, min_length=min(lengths), max_length=max(lengths))
