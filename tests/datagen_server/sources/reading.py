"""Reading all that the shards hold, for tests."""

from pathlib import Path

from datagen_server.shards.manifest import Plan
from datagen_server.sources.shard_source import ShardSource
from tests.datagen_server.shards.building import COUNTS, assert_rendered, plan_of, read

EVERYTHING = {split: tuple(range(count)) for split, count in COUNTS.items()}


def assert_all_rendered(directory: Path, plan: Plan | None = None) -> ShardSource:
    """Reads everything; returns the source, closed."""
    spec = (plan or plan_of()).dataset.spec
    source = ShardSource(directory)
    for split, indices in EVERYTHING.items():
        assert_rendered(read(source, split, *indices), spec, split, *indices)
    source.close()
    return source
