"""A service and a set of shards that several commands read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datagen_server.cli import main
from tests.datagen_server.commands.running import SMALL
from tests.support.services import ServiceProcess


@pytest.fixture(scope="package")
def target() -> Iterator[str]:
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--seed", "3"
    with ServiceProcess(*serve, "--count", "train=300", "--stop-with-stdin") as service:
        yield service.target


@pytest.fixture(scope="package")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("commands") / "shards"
    assert main(["materialize", "--out", str(directory), *SMALL]) == 0
    return directory
