"""Pictures that went through `export` and `import` are evaluated as they were before."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen_server.exporting.export import export
from datagen_server.sources.sample_source import SampleSource
from datagen_server.sources.shard_source import ShardSource
from evaluator.cli import main
from shared.dataset.spec import DatasetSpec
from tests.datagen_server.importing.running import imported
from tests.datagen_server.shards.building import build, plan_of
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.support.services import served

FIGURES = "samples", "correct", "accuracy", "character_error_rate", "loss"


def test_a_set_exported_as_png_and_imported_is_evaluated_to_the_same_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(DatasetSpec(max_length=2, alphabet="01234"), {"train": 1, "test": 60})
    build(tmp_path / "shards", plan)
    checkpoint = untrained_checkpoint(tmp_path / "run", plan.dataset)
    source = ShardSource(tmp_path / "shards")
    export(source, tmp_path / "exported", "png", ["test"])
    source.close()
    assert imported(tmp_path / "exported", out=tmp_path / "back")["splits"] == {"test": 60}
    before, after = (_evaluated(ShardSource(tmp_path / name), checkpoint, capsys) for name in ("shards", "back"))
    assert before["samples"] == 60
    assert {name: after[name] for name in FIGURES} == {name: before[name] for name in FIGURES}


def _evaluated(source: SampleSource, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with served(source) as target:
        capsys.readouterr()
        assert main(["--ckpt", str(checkpoint), "--datagen", target, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))
