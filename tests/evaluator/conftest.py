"""A real service with a small data set, and a checkpoint that belongs to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from datagen_server.sources.rendered_source import RenderedSource
from shared.dataset.spec import Dataset, DatasetSpec
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.support.services import served

COUNTS = {"train": 40, "test": 130}


@dataclass(frozen=True)
class Setting:
    """Where the service is, what it serves, and a run directory trained on it, so to speak."""

    target: str
    dataset: Dataset
    run_dir: Path
    checkpoint: Path


@pytest.fixture(scope="session")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    source = RenderedSource(DatasetSpec(), COUNTS, num_workers=1)
    run_dir = tmp_path_factory.mktemp("run")
    with served(source) as target:
        yield Setting(target, source.dataset, run_dir, untrained_checkpoint(run_dir, source.dataset))
