"""Checkpoints come back bit for bit, and a damaged or unfinished one is never taken for a good one."""

from dataclasses import asdict
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from shared.dataset.spec import DatasetSpec
from shared.errors import DataLoss
from shared.recogniser.checkpoint import (
    load_parameters,
    remove_old_checkpoints,
    save_checkpoint,
    weights_digest,
)
from shared.recogniser.checkpoint_info import CheckpointInfo, find_checkpoint, list_checkpoints, read_info
from shared.recogniser.network.network_spec import NetworkSpec

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


def saved(folder: Path, step: int = 10, epoch: int = 1) -> Path:
    info = CheckpointInfo(**asdict(INFO) | {"step": step, "global_step": step, "epoch": epoch})
    return save_checkpoint(folder, info, _parameters())


def test_parameters_and_cursor_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = saved(tmp_path)
    loaded = _parameters(seed=1)
    assert path.name == "warpctc-1-10.ckpt"
    assert load_parameters(path, loaded) == 10
    assert weights_digest(loaded) == weights_digest(_parameters())
    info = read_info(path)
    assert info.dataset_spec() == DatasetSpec()
    assert info.network_spec().hidden_size == 256


def test_the_same_state_gives_the_same_file(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one"), saved(tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_the_newest_so_many_are_kept_in_order_of_epoch_and_step(tmp_path: Path) -> None:
    for epoch, step in ((1, 9), (1, 10), (2, 5), (10, 1)):
        saved(tmp_path, step, epoch=epoch)
        remove_old_checkpoints(tmp_path, keep=3)
    names = ["warpctc-1-10.ckpt", "warpctc-2-5.ckpt", "warpctc-10-1.ckpt"]
    assert [path.name for path in list_checkpoints(tmp_path)] == names
    assert find_checkpoint(tmp_path).name == names[-1]
    assert len(list(tmp_path.iterdir())) == 6


def test_the_best_is_kept_however_old_it_is(tmp_path: Path) -> None:
    best = saved(tmp_path, 1)
    for step in (2, 3, 4):
        saved(tmp_path, step)
        remove_old_checkpoints(tmp_path, keep=1, best=best.name)
    assert [path.name for path in list_checkpoints(tmp_path)] == [best.name, "warpctc-1-4.ckpt"]
    assert len(list(tmp_path.iterdir())) == 4


def test_parameters_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(DataLoss, match="does not hold a of shape"):
        load_parameters(path, [ms.Parameter(ms.Tensor(np.zeros(5, np.float32)), name="a")])


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    for name in (".warpctc-1-9.ckpt.77-0a1b2c3d.partial.ckpt", ".warpctc-1-9.json.77-0a1b2c3d.partial"):
        (tmp_path / name).touch()
    path = saved(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, "warpctc-1-10.json"]
