"""Shards read by a process that may have few open files: no healthy shard is called damaged."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.datagen_server.shards.building import TINY, build, plan_of

NUM_SHARDS = 60
HELD = """if True:
    import os, resource, sys
    from pathlib import Path
    import numpy as np
    from datagen_server.shards.verify import verify
    from datagen_server.sources.shard_source import ShardSource
    from shared.errors import StreamingError
    directory, spare = Path(sys.argv[1]), int(sys.argv[2])
    ShardSource(directory).close()
    open_now = len(os.listdir("/proc/self/fd")) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + spare, open_now + spare))
    source = ShardSource(directory)
    for _ in range(2):
        for index in range(60):
            source.read("train", np.array([index], np.uint64), source.codecs[0]).result()
    source.read("train", np.arange(60, dtype=np.uint64), source.codecs[0]).result()
    print("damaged", sum(source.damage.healed.values()), sum(source.damage.refused.values()))
    print("found", len(verify(directory).findings))
"""


def outcome(directory: Path, spare: int) -> "subprocess.CompletedProcess[str]":
    """Of reading all samples twice and verifying, with handles for so many files more."""
    command = [sys.executable, "-c", HELD, str(directory), str(spare)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("many") / "shards"
    build(directory, plan_of(TINY, {"train": NUM_SHARDS}, shard_size=1))
    return directory


@pytest.mark.parametrize("spare", [12, 30, 48])
def test_healthy_shards_stay_healthy(shards: Path, spare: int) -> None:
    done = outcome(shards, spare)
    assert done.stdout == "damaged 0 0\nfound 0\n", done.stderr
    assert "repair" not in done.stderr


def test_without_any_handle_the_reason_is_named(shards: Path) -> None:
    done = outcome(shards, 0)
    assert "Unavailable: too many open files: this process may have" in done.stderr
    assert "damaged" not in done.stderr
