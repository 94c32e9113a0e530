"""The zoo preset end to end at a small size: trained, resumed, evaluated, exported."""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.hub import create_network
from shared.recogniser.predictor import Predictor
from tests.support.services import served
from tests.support.toys import TOY_SPEC
from trainer import export
from trainer.cli import main

SIZES = "captcha_width=24", "captcha_height=16", "hidden_size=8", "batch_size=8", "steps=4", "save_checkpoint_steps=2"


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
    run_dir = tmp_path_factory.mktemp("zoo") / "run"
    keys = [part for key in SIZES for part in ("-o", key)]
    summary = _train(service, run_dir, "--preset", "zoo", *keys)
    assert Path(summary["checkpoint"]).name == "warpctc-1-4.ckpt"
    return run_dir


def test_without_save_checkpoint_none_is_written(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [part for key in (*SIZES, "steps=1", "save_checkpoint=false") for part in ("-o", key)]
    assert main(["--datagen", service, "--run-dir", str(tmp_path / "run"), "--preset", "zoo", *keys]) == 0
    assert "checkpoint  none, as save_checkpoint asks" in capsys.readouterr().out
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_resumed_run_takes_the_same_steps_momentum_included(service: str, tmp_path: Path, run_dir: Path) -> None:
    shutil.copytree(run_dir, tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "warpctc-1-4.ckpt"
    whole = read_info(last).weights_digest
    last.unlink()
    last.with_suffix(".json").unlink()
    assert _train(service, tmp_path / "run", "--resume")["weights_digest"] == whole


def test_evaluator_hub_and_mindir_give_the_same_logits(
    tmp_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *TOY_SPEC.image_shape), np.uint8)
    expected = create_network("warpctc", checkpoint=run_dir)(ms.Tensor(images)).asnumpy()
    assert expected.shape == (24, 3, 11)

    path = find_checkpoint(run_dir)
    logits = Predictor(path, read_info(path), "cpu").logits(images)
    assert np.allclose(logits, expected, atol=1e-5)

    file = tmp_path / "network.mindir"
    assert export.main(["--ckpt", str(run_dir), "--out", str(file), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["input_shape"] == [None, 16, 24, 3]
    assert written["output_shape"] == [24, None, 11]
    assert written["size_bytes"] == file.stat().st_size
    graph = nn.GraphCell(ms.load(str(file)))
    for num in (3, 2):
        assert np.allclose(graph(ms.Tensor(images[:num])).asnumpy(), expected[:, :num], atol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["network.mindir"]
