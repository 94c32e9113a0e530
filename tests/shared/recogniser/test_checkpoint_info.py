"""How checkpoints are found, and that a damaged or unfinished one is never taken for a good one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import DataLoss, StreamingError, UsageError
from shared.recogniser.checkpoint_info import BestCheckpoint, find_checkpoint, read_info
from tests.shared.recogniser.test_checkpoint import saved
from trainer.run_dir import RunDir


@pytest.mark.parametrize("place", ["elsewhere", "../besides"])
def test_a_run_with_a_checkpoint_path_of_its_own_is_followed(tmp_path: Path, place: str) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "config.yaml").write_text(f"save_checkpoint_path: {place}\n")
    with pytest.raises(UsageError, match=f"no finished checkpoint in {run_dir / place} or {run_dir}/checkpoints or"):
        find_checkpoint(run_dir)
    path = saved(run_dir / place)
    assert find_checkpoint(run_dir).samefile(path)


def test_best_json_names_the_best_checkpoint(tmp_path: Path) -> None:
    path, run = saved(tmp_path / "elsewhere", 1), RunDir(tmp_path)
    with pytest.raises(UsageError, match=r"best\.json does not exist: the run has no validation yet; give"):
        find_checkpoint(tmp_path / "best.json")
    run.write_best(BestCheckpoint(checkpoint=f"elsewhere/{path.name}", step=1, valid_accuracy=0.5))
    assert find_checkpoint(tmp_path / "best.json") == path
    run.best_file.write_text("{}")
    with pytest.raises(DataLoss, match=r"best\.json is damaged"):
        find_checkpoint(run.best_file)
    run.write_best(None)
    assert not run.best_file.exists()


@pytest.mark.parametrize("text", ["", "[1]", "{", "save_checkpoint_path: 7"])
def test_a_configuration_that_says_nothing_of_checkpoints_leaves_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    path = saved(tmp_path / "checkpoints")
    assert find_checkpoint(tmp_path) == path


def test_a_checkpoint_without_its_json_is_unfinished(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    newer = saved(tmp_path, 2)
    newer.with_suffix(".json").unlink()
    assert find_checkpoint(tmp_path).name == "warpctc-1-1.ckpt"
    with pytest.raises(UsageError, match=r"warpctc-1-2\.json is missing"):
        read_info(newer)


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_flipped_byte_is_noticed(tmp_path: Path, place: int) -> None:
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataLoss, match=r"is damaged: its SHA-256 is not the one in warpctc-1-10\.json"):
        read_info(path)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"epoch": 1})])
def test_a_damaged_json_is_noticed(tmp_path: Path, text: str) -> None:
    path = saved(tmp_path)
    path.with_suffix(".json").write_text(text)
    with pytest.raises(StreamingError, match="cannot be read"):
        read_info(path)


def test_nothing_to_find_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train first: python -m trainer"):
        find_checkpoint(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        find_checkpoint(tmp_path / "nowhere")


def test_no_mindspore_is_needed_to_know_checkpoints_and_runs() -> None:
    code = "import sys, shared.recogniser.checkpoint_info, trainer.run_dir, trainer.audit.exactly_once, trainer.cli"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit('mindspore' in sys.modules)"], check=True)
