"""metrics.jsonl as pages read it, whole or not."""

import json
from pathlib import Path

import pytest

from shared.page.run_history import MAX_POINTS, HistoryRow, read_history, thinned


def test_incomplete_lines_are_left_out_and_the_rest_is_in_order(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    assert read_history(file) == []
    rows = [json.dumps({"step": step, "loss": 1 / step, "elapsed_s": step}) for step in range(1, 2001)]
    rows[5:5] = ["{", "[]", '{"step": 3}', '{"step": 4, "loss": NaN}', '{"step": "x", "loss": 1}', "7", "null"]
    file.write_text("\n".join([*rows, '{"step": 2001, "lo']))
    history = read_history(file)
    assert [row.step for row in history] == list(range(1, 2001))
    assert history[-1] == HistoryRow(2000, 1 / 2000, 2000.0)


@pytest.mark.parametrize("num_rows", [0, 1, 2, MAX_POINTS, MAX_POINTS + 1, 12_345])
def test_a_thinned_history_ends_with_its_last_row(num_rows: int) -> None:
    rows = [HistoryRow(step, 1.0) for step in range(num_rows)]
    few = thinned(rows)
    assert min(num_rows, MAX_POINTS // 2) <= len(few) <= MAX_POINTS
    assert list(few[-1:]) == rows[-1:]


def test_all_values_of_a_line_are_read(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    values = {"lr": 0.1, "grad_norm": 2.0, "images_per_s": 600.0, "rank_wait_shares": [0.1, 0.2], "valid_accuracy": 0.9}
    file.write_text(json.dumps({"step": 7, "loss": 1.5, "elapsed_s": 3.0, **values}))
    assert read_history(file) == [HistoryRow(7, 1.5, 3.0, 0.1, 2.0, 600.0, (0.1, 0.2), 0.9)]
