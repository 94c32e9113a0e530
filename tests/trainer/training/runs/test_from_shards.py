"""A run from shards ends with the very weights of a run from the renderer."""

from pathlib import Path

import pytest

from datagen_server.cli import main
from shared.system.embedded_service import embedded_service
from tests.support.services import ServiceProcess
from tests.trainer.training.runs.test_training import _train

STEPS = "30"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights' digest of a run from the renderer."""
    with embedded_service(counts={"train": 200, "test": 50}, num_workers=1) as target:
        digest: str = _train(target, tmp_path_factory.mktemp("rendered") / "run", "--steps", STEPS)["weights_digest"]
        return digest


@pytest.mark.parametrize("codec", ["raw", "zstd"])
def test_a_run_from_shards_ends_with_the_weights_of_one_from_the_renderer(
    rendered: str, tmp_path: Path, codec: str
) -> None:
    shards = str(tmp_path / "shards")
    main(["materialize", "--out", shards, "--codec", codec, "--count", "train=200", "test=50", "--shard-size", "64"])
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--shards", shards, "--stop-with-stdin"
    with ServiceProcess(*serve) as service:
        assert _train(service.target, tmp_path / "run", "--steps", STEPS)["weights_digest"] == rendered
