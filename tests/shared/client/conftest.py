"""A service of the toy data set and a client of it."""

from collections.abc import Iterator

import pytest

from shared.client import DatasetClient, connect
from tests.support.services import served


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with served() as target:
        yield target


@pytest.fixture
def client(target: str) -> Iterator[DatasetClient]:
    with connect(target) as client:
        yield client
