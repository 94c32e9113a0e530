"""Shards that several tests read or copy."""

from pathlib import Path

import pytest

from tests.datagen_server.shards.building import build, with_foreign_fingerprint


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete set of shards of `plan_of()`, never to be changed."""
    directory = tmp_path_factory.mktemp("shards") / "pristine"
    build(directory)
    return directory


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as another renderer would have made it, never to be changed."""
    directory = tmp_path_factory.mktemp("shards") / "foreign"
    with_foreign_fingerprint(directory)
    return directory
