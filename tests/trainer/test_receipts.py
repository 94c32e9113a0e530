"""The command that proves exactly-once delivery: exit code, text, JSON."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from shared.errors import StreamingError
from tests.trainer.audit.test_exactly_once import BATCH, begin, consume, header
from trainer.receipts import main


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
    consume(begin(tmp_path, 9), 2, 0, 9)
    _edit(tmp_path, 1, change)
    assert main([str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["missing"], found["duplicated"]) == (missing, duplicated)
    assert found["delivered"] == 9 * BATCH - missing


@pytest.mark.parametrize(("weights", "forgets"), [("ab", False), ("aa", True)])
def test_ranks_with_other_weights_or_none_at_a_checkpoint_are_no_proof(
    weights: str, forgets: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    consume(begin(tmp_path, 9), 2, 0, 4)
    consume(tmp_path, 2, 4, 9, weights)
    if forgets:
        file = tmp_path / "receipts" / "rank-1.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert main([str(tmp_path)]) == 1
    assert "weights     the same on all ranks at 1 of 2 checkpoints" in capsys.readouterr().out


def test_a_proof_prints_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    consume(begin(tmp_path, 9), 2, 0, 9)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "delivered   72 of 72 samples" in out
    assert "weights     the same on all ranks at 1 of 1 checkpoints" in out
    assert main([str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= {"ranks", "epochs", "steps", "delivered", "missing", "duplicated", "digest"}
    assert found["epochs"] == 2


def test_the_samples_of_a_step_are_shown_rank_by_rank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    consume(begin(tmp_path, 9), 2, 0, 9)
    assert main([str(tmp_path), "--step", "7", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    indices = [index for part in shown["ranks"] for index in part["indices"]]
    assert indices == header(0, 1).indices(7).tolist()
    assert shown["complete"]


WRONG: tuple[object, ...] = (None, "x", -1, 0, 10**30, 1e308, [], {}, True)


@pytest.mark.parametrize("file", ["receipts/rank-0.jsonl", "checkpoints/warpctc-1-1.json"])
def test_damaged_files_are_one_line_or_no_proof(file: str, tmp_path: Path) -> None:
    run_dir = begin(tmp_path, 6)
    consume(run_dir, 1, 0, 6)
    path = run_dir / file
    whole = path.read_bytes()
    lines = whole.splitlines() if file.endswith("jsonl") else [whole]
    damages = [b"", b"\0", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b"9" * 5000, whole[: len(whole) // 2]]
    for place in {0, 1, len(lines) - 1} & set(range(len(lines))):
        values = json.loads(lines[place])
        changed = [values | {key: wrong} for key in values for wrong in WRONG]
        changed += [{key: value for key, value in values.items() if key != gone} for gone in values]
        damages += [b"\n".join([*lines[:place], json.dumps(one).encode(), *lines[place + 1 :]]) for one in changed]
    for damage in damages:
        path.write_bytes(damage)
        with suppress(StreamingError):
            assert main([str(tmp_path), "--json"]) in (0, 1)


def test_other_files_beside_the_receipts_are_left_alone(tmp_path: Path) -> None:
    consume(begin(tmp_path, 9), 2, 0, 9)
    (tmp_path / "receipts" / "rank-0 (copy).jsonl").write_text("{}")
    assert main([str(tmp_path), "--json"]) == 0
