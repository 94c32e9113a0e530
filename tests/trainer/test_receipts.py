"""Receipts: the proof holds exactly when every sample of every step came once, whatever the ranks and restarts."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataLoss, UsageError
from trainer.audit.receipt_files import Reading, ReceiptWriter
from trainer.config import dump_config, load_config
from trainer.receipts import Proof, Receipts, main

COUNT, BATCH = 50, 8  # 6 steps an epoch, 2 samples dropped


def _reading(rank: int, ranks: int, resumed_after: int = 0, order_seed: int = 3) -> Reading:
    return Reading(
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


def _begin(run_dir: Path, cursor: int) -> Path:
    folder = run_dir / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.yaml").write_text(dump_config(load_config({}, None, ())))
    (folder / "warpctc-1-1.ckpt").touch()
    (folder / "warpctc-1-1.json").write_text(json.dumps({"global_step": cursor}))
    return run_dir


def _consume(run_dir: Path, ranks: int, resumed_after: int, last_step: int, weights: str = "aaaa") -> None:
    """As `ranks` ranks do that read steps resumed_after+1 to last_step; weights: at the end, a letter for each."""
    for rank in range(ranks):
        reading = _reading(rank, ranks, resumed_after)
        writer = ReceiptWriter(run_dir / "receipts", reading)
        for step in range(resumed_after + 1, last_step + 1):
            writer.add(step, reading.indices(step))
        writer.note_weights(last_step, weights[rank])
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
        _consume(run_dir, ranks, done, done + steps + lost)  # The last `lost` steps never reach a checkpoint.
        done += steps
    proof = _proof(_begin(run_dir, done))
    assert (proof.delivered, proof.missing, proof.duplicated) == (done * BATCH, 0, 0)
    assert (proof.steps, proof.ranks, proof.restarts) == (done, parts[-1][0], len(parts) - 1)
    whole = tmp_path_factory.mktemp("whole")
    _consume(whole, 1, 0, done)
    assert proof.digest == _proof(_begin(whole, done)).digest


def _edit(run_dir: Path, rank: int, change: str) -> None:
    file = run_dir / "receipts" / f"rank-{rank}.jsonl"
    lines = file.read_text().splitlines()
    if change == "lost":
        del lines[3]
    elif change == "twice":
        lines.append(lines[3])
    elif change == "torn":
        lines[3] = lines[3][:20]
    else:
        lines[3] = json.dumps(json.loads(lines[3]) | {"digest": "0" * 32})
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("change", "missing", "duplicated"), [("lost", 4, 0), ("twice", 0, 4), ("torn", 4, 0), ("other samples", 4, 0)]
)
def test_what_does_not_add_up_is_counted_and_ends_with_code_1(
    change: str, missing: int, duplicated: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _consume(_begin(tmp_path, 9), 2, 0, 9)
    _edit(tmp_path, 1, change)
    assert main([str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["missing"], found["duplicated"]) == (missing, duplicated)
    assert found["delivered"] == 9 * BATCH - missing


@pytest.mark.parametrize(("weights", "forgets"), [("ab", False), ("aa", True)])
def test_ranks_with_other_weights_or_none_at_a_checkpoint_are_no_proof(
    weights: str, forgets: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _consume(_begin(tmp_path, 9), 2, 0, 4)
    _consume(tmp_path, 2, 4, 9, weights)
    if forgets:
        file = tmp_path / "receipts" / "rank-1.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert main([str(tmp_path)]) == 1
    assert "weights     the same on all ranks at 1 of 2 checkpoints" in capsys.readouterr().out


def test_a_proof_prints_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _consume(_begin(tmp_path, 9), 2, 0, 9)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "delivered   72 of 72 samples" in out
    assert "weights     the same on all ranks at 1 of 1 checkpoints" in out
    assert main([str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= {"ranks", "epochs", "steps", "delivered", "missing", "duplicated", "digest"}
    assert found["epochs"] == 2


def test_the_samples_of_a_step_are_shown_rank_by_rank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _consume(_begin(tmp_path, 9), 2, 0, 9)
    assert main([str(tmp_path), "--step", "7", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    indices = [index for part in shown["ranks"] for index in part["indices"]]
    assert indices == _reading(0, 1).indices(7).tolist()
    assert shown["complete"]


def test_receipts_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    _consume(_begin(tmp_path, 3), 1, 0, 3)
    other = asdict(_reading(1, 2, order_seed=4))
    (tmp_path / "receipts" / "rank-1.jsonl").write_text(json.dumps(other) + "\n")
    with pytest.raises(DataLoss, match="of another run"):
        Receipts(tmp_path)


def test_what_cannot_be_proven_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run directory"):
        Receipts(tmp_path)
    _begin(tmp_path, 3)
    with pytest.raises(UsageError, match="holds no receipts"):
        Receipts(tmp_path)
    _consume(tmp_path, 1, 0, 3)
    with pytest.raises(UsageError, match=r"--step must be in 1\.\.3, got 4"):
        Receipts(tmp_path).samples(4)
