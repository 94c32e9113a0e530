"""Where each imported sample came from, so that a damaged record can be made again from the original picture.

DIR/origins.jsonl   a line about all, then one for each sample, by split and index:
                    [split, index, label, name in its source, digest of the file, digest of the pixels]
"""

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import xxhash

from datagen_server.importing import KINDS
from datagen_server.importing.decide import Decided, resizing_of
from datagen_server.importing.entry_table import EntryTable
from datagen_server.importing.picture_chunk import Piece, PieceChunk, digest_of_file, fit_of, write_chunk
from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.importing.sources.file_tree import printable
from datagen_server.importing.sources.picture_source import PictureSource
from datagen_server.shards.manifest import Plan, Shard
from datagen_server.shards.pack_records import RecordTarget, Rendered
from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss, UsageError
from shared.images.decode import PictureError
from shared.system.atomic_file import atomic_path, write_error

ORIGINS_NAME = "origins.jsonl"
_FORMAT = 1
_LINES_AT_ONCE = 1000
_ANY_NAME = "(?P<label>.*)"


@dataclass(frozen=True)
class Origin:
    """Where one sample came from."""

    label: str
    name: str
    file: str
    "Digest of the file, in hex."
    content: str
    "Digest of the pixels, in hex."


def write_origins(table: EntryTable, directory: Path, decided: Decided, kinds: Sequence[str]) -> None:
    """Writes `origins.jsonl` in one step; raises `StreamingError`."""
    path = directory / ORIGINS_NAME
    try:
        with atomic_path(path) as partial, open(partial, "wb") as file:
            checksum = xxhash.xxh3_64()
            lines = _lines(table, decided, kinds)
            while part := "".join(islice(lines, _LINES_AT_ONCE)).encode():
                file.write(part)
                checksum.update(part)
            file.write(json.dumps({"checksum": checksum.hexdigest()}).encode() + b"\n")
    except OSError as error:
        raise write_error(path, error) from error


def _lines(table: EntryTable, decided: Decided, kinds: Sequence[str]) -> Iterator[str]:
    head = {
        "format": _FORMAT,
        "fingerprint": decided.dataset.fingerprint,
        "kinds": sorted(set(kinds)),
        "resizing": _resizing(decided.dataset.spec),
    }
    yield json.dumps(head) + "\n"
    quoted, labels, names = json.JSONEncoder(ensure_ascii=False).encode, table.labels, table.names
    for split, entries in decided.samples.items():
        files, contents = (column[entries].tobytes().hex() for column in (table.files, table.pictures["content"]))
        front = f"[{quoted(split)}, "
        for number, entry in enumerate(entries.tolist()):
            start, end = 32 * number, 32 * number + 32
            # String by string: half the time that the encoder takes for a list.
            texts = f'{quoted(labels[entry])}, {quoted(names[entry])}, "{files[start:end]}", "{contents[start:end]}"]\n'
            yield f"{front}{number}, {texts}"


class Originals:
    """The pictures that a set of shards was imported from; makes its records again.

    Raises `UsageError` when `directory` holds no imported shards, or their origins are damaged.
    """

    def __init__(self, directory: Path, plan: Plan, paths: Sequence[Path]) -> None:
        self._plan = plan
        self._places = _Places(directory / ORIGINS_NAME, plan.dataset.fingerprint)
        self._sources: list[PictureSource] = []
        try:
            for path in paths:
                self._sources += _reopened(path, self._places.head["kinds"], directory)
        except BaseException:
            self.close()
            raise

    def record(self, shard: Shard, index: int) -> Rendered:
        """One record, made again; raises `DataLoss` naming the picture when its file is not what it was."""
        origin = self._places.origin(shard.split, index)
        if self._places.head["resizing"] != _resizing(self._plan.dataset.spec):
            raise DataLoss("this Pillow resizes otherwise than that of the import; install the same version")
        piece = Piece(index, origin.label, bytes.fromhex(origin.content), None, self._file_of(origin))
        dataset = self._plan.dataset
        target = RecordTarget(dataset.spec, dataset.fingerprint, self._plan.codec, shard.split)
        try:
            return write_chunk(PieceChunk(target, (piece,)))
        except DataLoss as error:
            raise DataLoss(f"{printable(origin.name)}: {error}") from error

    def _file_of(self, origin: Origin) -> bytes:
        """The bytes of the picture from whichever source still has them."""
        is_there = False
        for source in self._sources:
            try:
                data = source.read(origin.name)
            except PictureError:
                continue
            if digest_of_file(data).hex() == origin.file:
                return data
            is_there = True
        problem = "has changed since it was imported" if is_there else "is in none of the sources"
        raise DataLoss(f"{printable(origin.name)} {problem}")

    def close(self) -> None:
        """Lets go of the sources."""
        self._places.close()
        for source in self._sources:
            source.close()


class _Places:
    """Where in the file each line is: 8 bytes for each sample."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._offsets: dict[str, array[int]] = {}
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - closed with the object.
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}), so no original can be found") from error
        try:
            self.head = self._read_all()
            if (self.head["format"], self.head["fingerprint"]) != (_FORMAT, fingerprint):
                raise UsageError(f"{path} belongs to other shards; restore the one that was written with these")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.close()
            raise UsageError(f"{path} is damaged; restore it from a copy") from error
        except BaseException:
            self.close()
            raise

    def origin(self, split: str, index: int) -> Origin:
        """Where a sample came from."""
        self._file.seek(self._offsets[split][index])
        _, _, *values = json.loads(self._file.readline())
        return Origin(*values)

    def close(self) -> None:
        self._file.close()

    def _read_all(self) -> dict[str, Any]:
        """The first line; raises `ValueError` unless the checksum in the last one is right."""
        head = self._file.readline()
        checksum, place = xxhash.xxh3_64(head), len(head)
        for line in self._file:
            if line.startswith(b"{"):
                if json.loads(line)["checksum"] != checksum.hexdigest():
                    raise ValueError("the checksum is wrong")
                return dict(json.loads(head))
            split = json.loads(line)[0]
            self._offsets.setdefault(split, array("Q")).append(place)
            checksum.update(line)
            place += len(line)
        raise ValueError("the file is cut off")


def _reopened(path: Path, kinds: Sequence[str], scratch: Path) -> Iterator[PictureSource]:
    """The sources in `path`, understood as they were at the import."""
    kind = kinds[0] if len(kinds) == 1 and kinds[0] in KINDS else None
    hints = Hints(kind=kind, label_pattern=_ANY_NAME if kind == "names" else None)
    for opened in open_sources(path, hints, scratch):
        yield opened.source


def _resizing(spec: DatasetSpec) -> str:
    return resizing_of(fit_of(spec), (spec.width, spec.height)).hex()
