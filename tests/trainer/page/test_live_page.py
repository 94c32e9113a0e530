"""The live page of a training that really runs: what it says, in which views, and of which ranks."""

import os
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from shared.system.listen_address import ListenAddress
from tests.datagen_server.processes import wait_until
from tests.support.browser import VIEWS, View, visited
from tests.support.services import served
from tests.support.toys import ToySource
from tests.trainer.page.test_prometheus_exporter import address_of, training

expect.set_options(timeout=60_000)
LINK = "http://127.0.0.1:9464/"


class ValidatedSource(ToySource):
    """With a split for validations."""

    def __init__(self) -> None:
        super().__init__(counts={"train": 10**9, "valid": 64, "test": 10})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of the page of a run that has had some validations, and its run directory."""
    run_dir = tmp_path_factory.mktemp("live") / "run"
    more = "--steps", "100000000", "--datagen-page", LINK
    keys = "-o", "validate_steps=20", "-o", "save_checkpoint_steps=20", "-o", "keep_checkpoint_max=2"
    with served(ValidatedSource()) as target, training(target, run_dir, *more, *keys) as stderr:
        address = address_of(stderr, 0)
        wait_until(lambda: page_of(address).count("%</td>") > 3, "some validations", timeout_s=240)
        yield address, run_dir


def get(address: str, path: str) -> tuple[int, str, str]:
    """Status, content type and text."""
    connection = HTTPConnection(address, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        connection.close()


def page_of(address: str) -> str:
    return get(address, "/")[2]


def test_the_page_says_how_far_the_training_is(live: tuple[str, Path]) -> None:
    address, run_dir = live
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page_of(address)))
    assert re.search(r"Training step [\d,]+ of 100,000,000, .+ left", text)
    for fact in ("Loss", "Learning rate", "Gradient norm", "Images/s", "Waiting for data", str(run_dir), "0 of 1"):
        assert fact in text
    assert re.search(r"Newest checkpoint after step [\d,]+: ", text)
    assert re.search(r"[\d,]+ [\d.]+% the best so far", text)
    assert f'<a href="{LINK}">Data set service</a>' in page_of(address)


def test_only_what_is_there_is_answered(live: tuple[str, Path]) -> None:
    address, _ = live
    assert get(address, "/metrics")[1].startswith("text/plain; version=")
    status, _, line = get(address, "/nope")
    assert (status, line) == (404, "not found; there are / and /metrics, to GET\n")
    assert get(address, "/?a=1")[0] == 400
    assert get(address, "/static/style.css")[0] == 200


@pytest.mark.pages
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_page_in_a_browser(chromium: Browser, live: tuple[str, Path], view: View) -> None:
    address, _ = live
    with visited(chromium, f"http://{address}/", view) as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Training step")
        expect(page.locator("svg.chart")).to_have_count(6)
        expect(page.get_by_role("table")).to_have_count(2)
        expect(page.get_by_text("the best so far")).to_have_count(1)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder, f"live-{view}.png"), full_page=True)
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        expect(page.locator("#live[data-old]")).to_have_count(0)  # It renews itself.


@pytest.mark.long
def test_rank_0_shows_every_rank_and_leads_to_its_page(tmp_path: Path) -> None:
    with ListenAddress("127.0.0.1", 0).bind() as free:
        port = free.getsockname()[1]
    more = "--ranks", "2", "-o", "global_batch_size=8", "--steps", "100000", "--metrics-listen", f"127.0.0.1:{port}"
    with served(ToySource(counts={"train": 10**6, "test": 10})) as target, training(target, tmp_path / "run", *more):
        first, second = (f"127.0.0.1:{port + rank}" for rank in (0, 1))
        wait_until(lambda: can_connect(first) and can_connect(second), "both pages", timeout_s=240)
        wait_until(lambda: "%</td>" in page_of(first), "a log line", timeout_s=120)
        assert re.search(rf'href="http://{second}/">rank 1</a>', page_of(first))
        assert re.search(rf'href="http://{first}/">rank 0</a>', page_of(second))
        assert "rank 1 of 2" in page_of(second)


def can_connect(address: str) -> bool:
    try:
        return get(address, "/")[0] == 200
    except OSError:
        return False
