"""Running a command in a process of its own; options for small sets of shards."""

import subprocess
import sys

COUNTS = "--count", "train=100", "test=30"
SMALL = *COUNTS, "--shard-size", "32", "--workers", "1"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datagen_server", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
