from pathlib import Path

import pytest

from datagen_server.cli import build_parser, main
from datagen_server.commands.open_source import open_source
from datagen_server.shards.manifest import MANIFEST_NAME
from shared.errors import DataLoss, UsageError
from tests.datagen_server.commands.running import COUNTS, SMALL


def kind_served(*options: str) -> str:
    with open_source(build_parser().parse_args(["serve", *options])) as source:
        return source.kind


def test_or_render_serves_finished_shards_and_renders_where_there_are_none_yet(shards: Path, tmp_path: Path) -> None:
    assert kind_served("--shards", str(shards), "--or-render", *COUNTS, "--workers", "1") == "shards"
    assert kind_served("--shards", str(tmp_path), "--or-render", *COUNTS, "--workers", "1") == "rendered"
    assert main(["materialize", "--out", str(tmp_path), *SMALL, "--shard-range", "0:1"]) == 0
    assert kind_served("--shards", str(tmp_path), "--or-render", *COUNTS, "--workers", "1") == "rendered"


def test_or_render_is_for_shards_and_does_not_pass_over_shards_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--or-render is for --shards"):
        kind_served("--or-render")
    (tmp_path / MANIFEST_NAME).write_text("{")
    with pytest.raises(DataLoss, match=r"manifest\.json"):
        kind_served("--shards", str(tmp_path), "--or-render")
    with pytest.raises(UsageError, match="cannot read"):
        kind_served("--shards", f"{tmp_path}/{'x' * 300}", "--or-render")
