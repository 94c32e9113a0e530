"""Whole imports of damaged sources: a data set, or one line; and never a file outside of its directory."""

from pathlib import Path

import pytest

from datagen_server.shards.verify import verify
from shared.dataset.seeding import Draws
from shared.errors import StreamingError
from tests.datagen_server.importing.running import imported
from tests.datagen_server.importing.sources.building import BUILDERS

FUZZED = ("tab", "comma", "csv", "jsonl", "UTF-16", "pairs", "LMDB", "single-file LMDB", "tar", "compressed tar",
          "tar of an LMDB", "zip")  # fmt: skip
SEEDS = range(5)


def damage(path: Path, draws: Draws) -> None:
    """Changes, cuts or doubles a part of one file that is no picture."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    others = [file for file in files if file.suffix not in (".png", ".jpg")] or files
    file = others[draws.randbelow(len(others))]
    data = bytearray(file.read_bytes())
    for _ in range(1 + draws.randbelow(8)):
        place = draws.randbelow(len(data))
        match draws.randbelow(4):
            case 0:
                data[place] = draws.randbelow(256)
            case 1:
                data[place : place + 8] = bytes(8)
            case 2:
                del data[place : place + 1 + draws.randbelow(20)]
            case _:
                data[place:place] = data[place : place + 30]
    file.write_bytes(data)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", FUZZED)
def test_a_damaged_source_is_imported_or_refused_in_one_line(kind: str, seed: int, tmp_path: Path) -> None:
    path = BUILDERS[kind](tmp_path / "data")
    damage(path, Draws(seed * 1000 + FUZZED.index(kind)))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    try:
        imported(("train", path), out=tmp_path / "out")
    except StreamingError as error:
        assert "\n" not in str(error)
    else:
        assert not verify(tmp_path / "out").findings
    after = [file for file in tmp_path.rglob("*") if file.is_file() and tmp_path / "out" not in file.parents]
    assert {file: file.read_bytes() for file in after} == before
