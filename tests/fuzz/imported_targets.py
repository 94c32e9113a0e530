"""What `import` reads of other people's data: LMDB files, label files, archives, pictures."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from datagen_server.importing.sources.detection import Hints, open_sources
from shared.errors import StreamingError
from shared.images.decode import decode_picture
from tests.fuzz import artefacts
from tests.fuzz.attempts import MakeTarget, Target


def _ocr_lmdb(folder: Path) -> Target:
    path = artefacts.ocr_lmdb(folder / "made")
    return _source(folder, "fuzzed/data.mdb", [path.read_bytes()])


def _label_file(folder: Path) -> Target:
    (folder / "0.png").write_bytes(artefacts.pictures(16, 16)[0])
    return _source(folder, "labels.txt", [b"0.png\tab\n0.png\tcd\n", b'0.png, "a""b"\r0.png, c\r', b"0.png a b\n"])


def _label_table(folder: Path) -> Target:
    (folder / "0.png").write_bytes(artefacts.pictures(16, 16)[0])
    return _source(folder, "labels.csv", [b'file,text\n0.png,"a,b"\n0.png,c\n'])


def _label_json(folder: Path) -> Target:
    (folder / "0.png").write_bytes(artefacts.pictures(16, 16)[0])
    return _source(folder, "labels.jsonl", [b'{"file_name": "0.png", "text": "ab"}\n{"image": "0.png", "label": 7}\n'])


def _archive(folder: Path) -> Target:
    return _source(folder, "fuzzed.tar", artefacts.archives(folder / "made"))


def _source(folder: Path, name: str, seeds: Sequence[bytes]) -> Target:
    """What `import` makes of a file with that name."""
    (folder / name).parent.mkdir(exist_ok=True)
    before = sorted(folder.rglob("*"))

    def decode_one(data: bytes) -> None:
        (folder / name).write_bytes(data)
        for one in open_sources(folder / name, Hints(), folder):
            for entry in islice(one.source.entries(), 20):
                assert "\n" not in entry.detail
                if entry.reason is None:
                    with suppress(StreamingError):
                        one.source.read(entry.name)
            one.source.close()
        (folder / name).unlink()
        assert sorted(folder.rglob("*")) == [path for path in before if path != folder / name]

    return Target(decode_one, seeds)


def _picture(_: Path) -> Target:
    def decode_one(data: bytes) -> None:
        image = decode_picture(data)
        assert image.dtype == np.uint8
        assert image.shape[2] == 3

    return Target(decode_one, artefacts.pictures(16, 16))


IMPORTED_TARGETS: dict[str, MakeTarget] = {
    "ocr_lmdb": _ocr_lmdb,
    "label_file": _label_file,
    "label_table": _label_table,
    "label_json": _label_json,
    "archive": _archive,
    "picture": _picture,
}
