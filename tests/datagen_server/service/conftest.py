"""Certificates and a token that several tests of who is let in share."""

import pytest

from tests.support.certificates import Office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))
