"""Receipts: the proof holds exactly when every sample of every step came once, whatever the ranks and restarts."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataLoss, UsageError
from shared.recogniser.checkpoint_info import CheckpointInfo
from trainer.audit.exactly_once import Proof, Receipts
from trainer.audit.receipt_files import ReceiptHeader, ReceiptWriter
from trainer.config import dump_config, load_config

COUNT, BATCH = 50, 8  # 6 steps an epoch, 2 samples dropped


def header(rank: int, ranks: int, resumed_after: int = 0, order_seed: int = 3) -> ReceiptHeader:
    return ReceiptHeader(
        resumed_after=resumed_after,
        rank=rank,
        ranks=ranks,
        split="train",
        count=COUNT,
        global_batch_size=BATCH,
        order_seed=order_seed,
        shuffle=True,
        fingerprint="f",
    )


def begin(run_dir: Path, cursor: int) -> Path:
    folder = run_dir / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.yaml").write_text(dump_config(load_config({}, None, ())))
    (folder / "warpctc-1-1.ckpt").touch()
    (folder / "warpctc-1-1.json").write_text(json.dumps(asdict(checkpoint_info(cursor))))
    return run_dir


def checkpoint_info(cursor: int) -> CheckpointInfo:
    epochs, step = divmod(cursor - 1, COUNT // BATCH)
    return CheckpointInfo(
        epoch=epochs + 1,
        step=step + 1,
        global_step=cursor,
        elapsed_s=1.0,
        ranks=1,
        global_batch_size=BATCH,
        fingerprint="f",
        split_count=COUNT,
        dataset={"seed": 0, "width": 160, "height": 64, "alphabet": "0123456789", "min_length": 1, "max_length": 4},
        network={"width": 160, "height": 64, "num_classes": 11},
        config_digest="c",
        weights_digest="w",
    )


def consume(run_dir: Path, ranks: int, resumed_after: int, last_step: int, weights: str = "aaaa") -> None:
    """As `ranks` ranks do that read steps resumed_after+1 to last_step; weights: at the end, a letter for each."""
    for rank in range(ranks):
        this = header(rank, ranks, resumed_after)
        writer = ReceiptWriter(run_dir / "receipts", this)
        for step in range(resumed_after + 1, last_step + 1):
            writer.add(step, this.indices(step))
        writer.add_weights(last_step, weights[rank])
        writer.close()


def _proof(run_dir: Path) -> Proof:
    return Receipts(run_dir).prove()


@given(
    parts=st.lists(st.tuples(st.sampled_from((1, 2, 4)), st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=4)
)
def test_every_sample_is_proven_once_over_restarts_on_any_number_of_ranks(
    parts: Sequence[tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_dir, done = tmp_path_factory.mktemp("run"), 0
    for ranks, steps, lost in parts:
        consume(run_dir, ranks, done, done + steps + lost)  # The last `lost` steps never reach a checkpoint.
        done += steps
    proof = _proof(begin(run_dir, done))
    assert (proof.delivered, proof.missing, proof.duplicated) == (done * BATCH, 0, 0)
    assert (proof.steps, proof.ranks, proof.restarts) == (done, parts[-1][0], len(parts) - 1)
    whole = tmp_path_factory.mktemp("whole")
    consume(whole, 1, 0, done)
    assert proof.digest == _proof(begin(whole, done)).digest


@pytest.mark.parametrize("key", ["num", "first", "last", "digest"])
def test_a_receipt_with_one_other_value_proves_nothing(tmp_path: Path, key: str) -> None:
    run_dir = begin(tmp_path, cursor=3)
    consume(run_dir, 1, 0, 3)
    path = run_dir / "receipts" / "rank-0.jsonl"
    lines = path.read_text().splitlines()
    receipt = json.loads(lines[2])
    other = "0" * 32 if key == "digest" else receipt[key] + 1
    path.write_text("\n".join([*lines[:2], json.dumps(receipt | {key: other}), *lines[3:]]) + "\n")
    assert _proof(run_dir).missing == BATCH
    assert [found["delivered"] for found in Receipts(run_dir).samples(receipt["step"])] == [False]


def test_receipts_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    consume(begin(tmp_path, 3), 1, 0, 3)
    other = asdict(header(1, 2, order_seed=4))
    (tmp_path / "receipts" / "rank-1.jsonl").write_text(json.dumps(other) + "\n")
    with pytest.raises(DataLoss, match="of another run"):
        Receipts(tmp_path)


def test_what_cannot_be_proven_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run directory"):
        Receipts(tmp_path)
    begin(tmp_path, 3)
    with pytest.raises(UsageError, match="holds no receipts"):
        Receipts(tmp_path)
    consume(tmp_path, 1, 0, 3)
    with pytest.raises(UsageError, match=r"--step must be in 1\.\.3, got 4"):
        Receipts(tmp_path).samples(4)
