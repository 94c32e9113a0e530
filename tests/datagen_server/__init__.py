import pytest

pytest.register_assert_rewrite("tests.datagen_server.source_contract")
