"""Several runs on one page: their curves, the keys that differ, and one line for what is no run."""

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from shared.errors import UsageError
from tests.support.browser import VIEWS, View, visited
from trainer.compare import main
from trainer.config import TrainerConfig, dump_config


def run_in(folder: Path, num_rows: int = 30, **keys: object) -> Path:
    """A run directory as a training leaves it."""
    folder.mkdir()
    (folder / "config.yaml").write_text(dump_config(TrainerConfig.model_validate(keys)))
    rows = [
        {"step": step * 1000, "loss": 50 / step, "lr": 0.002 / step, "grad_norm": 9 / step, "images_per_s": 600 + step}
        | {"elapsed_s": step * 9.5, "rank_wait_shares": [0.01, 0.02], "valid_accuracy": 1 - 1 / step}
        for step in range(1, num_rows + 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    base = run_in(tmp_path / "base")
    return [str(base), str(run_in(tmp_path / "a <b> & c", optimizer="sgd", seed=7)), str(run_in(tmp_path / "short", 1))]


def test_the_page_names_the_runs_and_the_keys_that_differ(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "compare.html"
    assert main([*runs, "--out", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    html = page.read_text()
    assert html.count("a &lt;b&gt; &amp; c") >= 3
    assert re.findall(r'<th scope="row"><code>(\w+)</code></th>', html) == ["seed", "optimizer"]
    assert "<td>adam</td><td>sgd</td><td>adam</td>" in html
    assert html.count('<svg class="chart"') == 6
    assert "96.67%" in html
    main([*runs, "--out", str(page)])
    assert page.read_text() == html


def test_equal_runs_have_no_keys_that_differ(tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    main([str(run_in(tmp_path / "one")), str(run_in(tmp_path / "two")), "--out", str(page)])
    assert "The configurations are the same." in page.read_text()


def test_what_cannot_be_compared_is_one_line(tmp_path: Path) -> None:
    good, page = str(run_in(tmp_path / "good")), str(tmp_path / "compare.html")
    (tmp_path / "empty").mkdir()
    odd = run_in(tmp_path / "odd")
    (odd / "config.yaml").write_text("learning_rat: 1")
    not_begun = run_in(tmp_path / "not-begun", num_rows=0)
    for arguments, problem in [
        ([good, str(tmp_path / "empty")], "empty holds no run: it has no config.yaml; give run directories"),
        ([good, str(tmp_path / "nowhere")], "nowhere holds no run"),
        ([good, str(odd)], "unknown configuration key 'learning_rat'"),
        ([good, str(not_begun)], "has nothing to compare yet: no line in metrics.jsonl"),
        ([good], "two or more runs are compared, got only "),
        ([good, good], "two or more runs are compared, got only "),
    ]:
        with pytest.raises(UsageError, match=re.escape(problem)):
            main([*arguments, "--out", page])
    assert not Path(page).exists()
    with pytest.raises(UsageError, match=r"cannot write .*: No such file"):
        main([good, str(run_in(tmp_path / "more")), "--out", str(tmp_path / "no" / "page.html")])


@pytest.mark.pages
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_page_in_a_browser(chromium: Browser, runs: list[str], tmp_path: Path, view: View) -> None:
    page_file = tmp_path / "compare.html"
    main([*runs, "--out", str(page_file)])
    with visited(chromium, page_file.as_uri(), view) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("3 runs")
        expect(page.locator("svg.chart")).to_have_count(6)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder, f"compare-{view}.png"), full_page=True)
