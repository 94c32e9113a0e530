"""Checkpoints come back bit for bit, and a damaged or unfinished one is never taken for a good one."""

import json
from dataclasses import asdict
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss, StreamingError, UsageError
from shared.recogniser.checkpoint import (
    CheckpointInfo,
    find_checkpoint,
    list_checkpoints,
    load_parameters,
    read_info,
    save_checkpoint,
    weights_digest,
)
from shared.recogniser.network import NetworkSpec

INFO = CheckpointInfo(
    epoch=1,
    step=10,
    global_step=10,
    elapsed_s=1.5,
    ranks=1,
    global_batch_size=64,
    fingerprint="f" * 64,
    split_count=1000,
    dataset=asdict(DatasetSpec()),
    network=asdict(NetworkSpec(height=64, width=160, num_classes=11)),
    config_digest="c" * 64,
    weights_digest="w" * 64,
)


def _parameters(seed: int = 0) -> list[ms.Parameter]:
    rng = np.random.default_rng(seed)
    return [
        ms.Parameter(ms.Tensor(rng.normal(size=(3, 4)).astype(np.float32)), name="a"),
        ms.Parameter(ms.Tensor(np.array([7], np.int32)), name="global_step"),
    ]


def _saved(folder: Path, step: int = 10, keep: int = 30, epoch: int = 1) -> Path:
    info = CheckpointInfo(**asdict(INFO) | {"step": step, "global_step": step, "epoch": epoch})
    return save_checkpoint(folder, info, _parameters(), keep)


def test_parameters_and_cursor_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    loaded = _parameters(seed=1)
    assert path.name == "warpctc-1-10.ckpt"
    assert load_parameters(path, loaded) == 10
    assert weights_digest(loaded) == weights_digest(_parameters())
    info = read_info(path)
    assert info.dataset_spec() == DatasetSpec()
    assert info.network_spec().hidden_size == 256


def test_the_same_state_gives_the_same_file(tmp_path: Path) -> None:
    one, other = _saved(tmp_path / "one"), _saved(tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_the_newest_so_many_are_kept_in_order_of_epoch_and_step(tmp_path: Path) -> None:
    for epoch, step in ((1, 9), (1, 10), (2, 5), (10, 1)):
        _saved(tmp_path, step, keep=3, epoch=epoch)
    names = ["warpctc-1-10.ckpt", "warpctc-2-5.ckpt", "warpctc-10-1.ckpt"]
    assert [path.name for path in list_checkpoints(tmp_path)] == names
    assert find_checkpoint(tmp_path).name == names[-1]
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("place", ["elsewhere", "../besides"])
def test_a_run_with_a_checkpoint_path_of_its_own_is_followed(tmp_path: Path, place: str) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "config.yaml").write_text(f"save_checkpoint_path: {place}\n")
    with pytest.raises(UsageError, match=f"no finished checkpoint in {run_dir / place} or {run_dir}/checkpoints or"):
        find_checkpoint(run_dir)
    saved = _saved(run_dir / place)
    assert find_checkpoint(run_dir).samefile(saved)


@pytest.mark.parametrize("text", ["", "[1]", "{", "save_checkpoint_path: 7"])
def test_a_configuration_that_says_nothing_of_checkpoints_leaves_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    saved = _saved(tmp_path / "checkpoints")
    assert find_checkpoint(tmp_path) == saved


def test_a_checkpoint_without_its_json_is_unfinished(tmp_path: Path) -> None:
    _saved(tmp_path, 1)
    newer = _saved(tmp_path, 2)
    newer.with_suffix(".json").unlink()
    assert find_checkpoint(tmp_path).name == "warpctc-1-1.ckpt"
    with pytest.raises(UsageError, match=r"warpctc-1-2\.json is missing"):
        read_info(newer)


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_flipped_byte_is_noticed(tmp_path: Path, place: int) -> None:
    path = _saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataLoss, match=r"is damaged: its SHA-256 is not the one in warpctc-1-10\.json"):
        read_info(path)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"epoch": 1})])
def test_a_damaged_json_is_noticed(tmp_path: Path, text: str) -> None:
    path = _saved(tmp_path)
    path.with_suffix(".json").write_text(text)
    with pytest.raises(StreamingError, match="cannot be read"):
        read_info(path)


def test_parameters_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    with pytest.raises(DataLoss, match="does not hold a of shape"):
        load_parameters(path, [ms.Parameter(ms.Tensor(np.zeros(5, np.float32)), name="a")])


def test_nothing_to_find_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train first: python -m trainer"):
        find_checkpoint(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        find_checkpoint(tmp_path / "nowhere")
