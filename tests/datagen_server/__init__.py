import pytest

pytest.register_assert_rewrite("tests.datagen_server.sources.source_contract")
