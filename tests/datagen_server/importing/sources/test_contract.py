"""One suite over all kinds of sources: the same pictures and labels come out of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datagen_server.importing.labels import LabelRules
from datagen_server.importing.sources.detection import Hints, open_sources
from datagen_server.importing.sources.file_tree import read_file
from datagen_server.importing.sources.picture_source import PictureSource
from shared.images.decode import PictureError
from tests.datagen_server.importing.sources.building import BUILDERS, SAMPLES


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[PictureSource]:
    (one,) = open_sources(path, Hints(), scratch)
    yield one.source
    one.source.close()


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_picture_comes_with_its_label(kind: str, tmp_path: Path) -> None:
    rules = LabelRules()
    with opened(BUILDERS[kind](tmp_path / "data"), tmp_path) as source:
        entries = list(source.entries())
        assert [entry.reason for entry in entries] == [None] * len(SAMPLES)
        assert {rules.apply(entry.label): source.read(entry.name) for entry in entries} == dict(SAMPLES)
        assert {entry.split for entry in entries} == {None}
        assert all("\n" not in note for note in source.notes)


@pytest.mark.parametrize("kind", BUILDERS)
def test_listing_twice_gives_the_same(kind: str, tmp_path: Path) -> None:
    with opened(BUILDERS[kind](tmp_path / "data"), tmp_path) as source:
        first = list(source.entries()), list(source.notes)
        assert (list(source.entries()), list(source.notes)) == first


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_name_that_is_not_there_is_a_picture_error(kind: str, tmp_path: Path) -> None:
    with opened(BUILDERS[kind](tmp_path / "data"), tmp_path) as source:
        for name in ("none.png", "data.mdb#image-999999999", "../../none.png"):
            with pytest.raises(PictureError):
                source.read(name)


@pytest.mark.parametrize("kind", BUILDERS)
def test_where_a_picture_has_a_path_its_file_is_there(kind: str, tmp_path: Path) -> None:
    with opened(BUILDERS[kind](tmp_path / "data"), tmp_path) as source:
        for entry in source.entries():
            path = source.path_of(entry.name)
            assert path is None or Path(path).read_bytes() == read_file(path) == source.read(entry.name)


@pytest.mark.parametrize("kind", BUILDERS)
def test_nothing_is_written_anywhere(kind: str, tmp_path: Path) -> None:
    path = BUILDERS[kind](tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    with opened(path, tmp_path) as source:
        for entry in source.entries():
            source.read(entry.name)
    assert sorted(tmp_path.rglob("*")) == before
