"""The report in a browser: every view, every section, the gallery opened and closed."""

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from evaluator.cli import main
from tests.evaluator.checkpoints import untrained_checkpoint
from tests.evaluator.conftest import COUNTS, Setting
from tests.support.browser import VIEWS, View, visited

pytestmark = pytest.mark.pages
FRAMES = 40


@pytest.fixture(scope="module")
def report(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run with curves and two checkpoints."""
    run_dir = tmp_path_factory.mktemp("run")
    for step in (1, 2):
        untrained_checkpoint(run_dir, setting.dataset, seed=step, step=step)
    rows = [
        {"step": step * 500, "loss": 10 / step, "elapsed_s": step * 1.5, "lr": 1e-3 / step, "grad_norm": 5 / step}
        | {"images_per_s": 12_000 + step, "rank_wait_shares": [0.01], "valid_accuracy": 1 - 1 / step}
        for step in range(1, 30)
    ]
    (run_dir / "config.yaml").write_text("optimizer: adam\nlearning_rate: 0.002\nmomentum: 0.9\nclip_norm: 1.0\n")
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = run_dir / "report"
    assert main(["--ckpt", str(run_dir), "--best", "--datagen", setting.target, "--report", str(folder), "--json"]) == 0
    return folder


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_report_is_complete_and_its_gallery_opens(chromium: Browser, report: Path, view: View) -> None:
    figures = json.loads((report / "report.json").read_text())
    with visited(chromium, (report / "index.html").as_uri(), view) as page:
        assert f"{figures['correct']:,} of {figures['samples']:,} samples" in page.locator(".tiles").inner_text()
        assert f"{COUNTS['test']}/{COUNTS['test']}" in page.locator("header").inner_text()
        assert page.locator("svg.chart").count() == 10
        for name in page.locator("nav a").all_inner_texts():
            page.get_by_role("navigation").get_by_role("link", name=name).click()
            assert page.locator(":target h2").is_visible()
        check_gallery(page, [str(each["index"]) for each in figures["errors"]])
        for summary in page.locator("summary").all()[:5]:
            summary.click()  # what it opens is looked at by axe, too
        assert page.locator("#training dl").inner_text().startswith("Optimizer\nadam, momentum 0.9")
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder, f"report-{view}.png"), full_page=True)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (sum(ground) < 3 * 128) == (view.scheme == "dark")


def check_gallery(page: Page, errors: list[str]) -> None:
    """By mouse and by keyboard: each example shows what every frame emitted, and hides it again."""
    assert page.locator("#errors article").count() == 24
    first = page.locator("#errors article").first
    assert first.locator("h3").inner_text().removeprefix("Sample ") in errors
    summary, table = first.locator("summary"), first.locator("table")
    assert not table.is_visible()
    summary.click()
    assert table.is_visible()
    spans = [row.split(" to ") for row in table.locator("tbody th").all_inner_texts()]
    assert sum(int(span[-1]) - int(span[0]) + 1 for span in spans) == FRAMES
    assert first.locator("svg.example").get_attribute("aria-label")
    summary.focus()
    page.keyboard.press("Enter")
    assert not table.is_visible()
