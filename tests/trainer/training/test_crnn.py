"""The preset `crnn` at a small size: the same step for any number of ranks; trained, resumed, evaluated, exported."""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from shared.dataset.rank_slice import RankSlice
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.hub import create_network
from shared.recogniser.predictor import Predictor
from tests.support.services import served
from tests.support.toys import TOY_SPEC
from trainer import export
from trainer.cli import main
from trainer.config import load_config
from trainer.distributed.world import SINGLE_RANK
from trainer.presets import PRESETS
from trainer.training.step import build_step

SIZES = "captcha_width=24", "captcha_height=16", "hidden_size=8", "batch_size=8", "steps=4", "save_checkpoint_steps=2"
FRAMES = 24
"Fewer would be in proportion."


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with served() as target:
        yield target


def _train(service: str, run_dir: Path, *more: str) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as out:
        assert main(["--datagen", service, "--run-dir", str(run_dir), "--json", *more]) == 0
    summary: dict[str, Any] = json.loads(out.getvalue())
    return summary


@pytest.fixture(scope="module")
def run_dir(service: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test changes."""
    run_dir = tmp_path_factory.mktemp("crnn") / "run"
    _train(service, run_dir, "--preset", "crnn", *[part for key in SIZES for part in ("-o", key)])
    return run_dir


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_mean_over_ranks_is_the_gradient_of_the_global_batch(ranks: int) -> None:
    config, spec = load_config(PRESETS["crnn"], None, ["hidden_size=8"]), replace(TOY_SPEC, width=100, height=36)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, *spec.image_shape), np.uint8)
    labels = rng.integers(0, spec.blank, (8, spec.max_length)).astype(np.int32)
    found = []
    for num in (1, ranks):
        part = RankSlice(count=64, global_batch_size=8, ranks=num)
        step = build_step(config, spec, part, num_steps=10, device="cpu", world=SINGLE_RANK)
        parts = zip(np.split(images, num), np.split(labels, num), strict=True)
        grads = [step.gradient(ms.Tensor(one), ms.Tensor(other))[1] for one, other in parts]
        found.append([sum(each.asnumpy() for each in group) / num for group in zip(*grads, strict=True)])
    for whole, mean in zip(*found, strict=True):
        assert np.abs(whole - mean).max() <= 1e-5 * max(1.0, np.abs(whole).max())


def test_a_resumed_run_takes_the_same_steps_to_the_bit(service: str, tmp_path: Path, run_dir: Path) -> None:
    shutil.copytree(run_dir, tmp_path / "run")
    last = find_checkpoint(tmp_path / "run")
    whole = read_info(last).weights_digest
    last.unlink()
    last.with_suffix(".json").unlink()
    assert _train(service, tmp_path / "run", "--resume")["weights_digest"] == whole


def test_evaluator_hub_and_mindir_give_the_same_logits(tmp_path: Path, run_dir: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *TOY_SPEC.image_shape), np.uint8)
    expected = create_network("warpctc", checkpoint=run_dir)(ms.Tensor(images)).asnumpy()
    assert expected.shape == (FRAMES, 3, TOY_SPEC.num_classes)

    path = find_checkpoint(run_dir)
    logits = Predictor(path, read_info(path), "cpu").logits(images)
    assert np.allclose(logits, expected, atol=1e-5)

    file = tmp_path / "network.mindir"
    assert export.main(["--ckpt", str(run_dir), "--out", str(file)]) == 0
    graph = nn.GraphCell(ms.load(str(file)))
    for num in (3, 2):
        assert np.allclose(graph(ms.Tensor(images[:num])).asnumpy(), expected[:, :num], atol=1e-5)
