"""The pages as people use them, in Chromium, on a desk and in a hand, by day and by night."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Route, expect

from datagen_server.page.app import status_app
from datagen_server.page.recent_faults import RecentFaults
from datagen_server.service.server import DatasetServer
from datagen_server.sources.rendered_source import RenderedSource
from datagen_server.sources.sample_source import SampleSource
from datagen_server.sources.shard_source import ShardSource
from shared.client import connect
from shared.dataset.spec import DatasetSpec
from shared.page.page_server import PageServer
from shared.protocol.contract import SERVICE
from shared.system.listen_address import ListenAddress
from tests.datagen_server.shards.building import damage_record, plan_of, with_foreign_fingerprint
from tests.support.browser import VIEWS, View, visited
from tests.support.toys import ToySource

pytestmark = pytest.mark.pages
NUM_TRAIN = 50_000
expect.set_options(timeout=60_000)


@contextmanager
def pages(source: SampleSource, faults: RecentFaults | None = None) -> Iterator[tuple[str, str]]:
    """The address of the pages of a server over `source`, and its target."""
    here = ListenAddress("127.0.0.1", 0)
    try:
        with DatasetServer(source, here) as server:
            app = status_app(source, server.metrics, lambda: server.is_serving, faults)
            with PageServer(app, here) as page:
                yield f"http://{page.listen}", str(server.listen)
                server.drain(0.2)
    finally:
        source.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Pages of a service that renders, while three ranks of four have begun to read and stand still."""
    source = RenderedSource(DatasetSpec(), {"train": NUM_TRAIN, "test": 500}, num_workers=1)
    with (
        RecentFaults() as faults,
        pages(source, faults) as (address, target),
        connect(target) as client,
        ExitStack() as stack,
    ):
        list(client.stream("test", shuffle=False, global_batch_size=100))
        with grpc.insecure_channel(target) as channel, suppress(grpc.RpcError):
            channel.unary_unary(f"/{SERVICE}/GetSamples", None, None)(b"\xff")
        for rank in range(3):  # 31 MB each: more than gRPC holds for a reader that stands still.
            next(stack.enter_context(client.stream("train", rank=rank, ranks=4, global_batch_size=256, prefetch=1)))
        yield address


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Pages of a service over shards of which some records are damaged and cannot be rendered again."""
    directory = tmp_path_factory.mktemp("shards")
    plan = plan_of(DatasetSpec(), {"train": 60}, shard_size=20)
    manifest = with_foreign_fingerprint(directory, plan)
    for number in (0, 2):
        damage_record(directory, manifest.plan, plan.shards[number], plan.shards[number].first + 2)
    with pages(ShardSource(directory)) as (address, _):
        yield address


def keep(page: Page, name: str, view: View) -> None:
    """Leaves a picture where `SCREENSHOTS` says, for people to look at."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}-{view}.png"), full_page=True)


def ring_is_inside(page: Page) -> bool:
    """Whether the ring of the picture that has the keyboard focus is drawn where it is not cut off."""
    ring = """() => {
        const link = document.activeElement, style = getComputedStyle(link);
        const covers = link.getBoundingClientRect().height >= link.querySelector("img").getBoundingClientRect().height;
        const width = parseFloat(style.outlineWidth);
        return covers && width > 0 && parseFloat(style.outlineOffset) <= -width;
    }"""
    return bool(page.evaluate(ring))


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_status_page(chromium: Browser, address: str, view: View) -> None:
    with visited(chromium, address, view) as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Serving")
        for heading in ("Since the start", "Finished readers", "Recent faults"):
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
        rows = page.get_by_role("table").first.get_by_role("row")
        expect(rows).to_have_count(4)
        expect(rows.nth(1)).to_contain_text("of 4")
        keep(page, "status", view)


def test_the_page_renews_itself_until_told_to_stop(chromium: Browser, address: str) -> None:
    with visited(chromium, address, VIEWS[0]) as page:
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        expect(page.locator("#live[data-old]")).to_have_count(0)
        page.get_by_label("renew every two seconds").uncheck()
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        page.wait_for_timeout(2_500)
        expect(page.locator("#live[data-old]")).to_have_count(1)


def test_a_page_of_a_service_that_is_gone_does_not_stay_green(chromium: Browser) -> None:
    context = chromium.new_context()
    try:
        with pages(ToySource()) as (address, _):
            page = context.new_page()
            page.goto(address)
            expect(page.get_by_role("heading", level=1)).to_contain_text("Serving")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Not answering")
        expect(page.locator("#live .dot.good")).to_have_count(0)
        expect(page.locator("#live .dot.bad")).to_have_count(1)
        expect(page.locator("#live .answer")).to_have_text(
            "The service does not answer. What follows was so when it last did."
        )
        page.wait_for_timeout(2_500)  # Said once, however long it is gone.
        expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("^Not answering; last: Serving for "))
    finally:
        context.close()


def test_an_error_page_in_between_is_said_and_the_page_renews_itself_again(chromium: Browser, address: str) -> None:
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(address)
        page.route(f"{address}/", lambda route: route.fulfill(status=503, body="no workers left"))
        expect(page.locator("#refresh-note")).to_have_text("The service does not answer.")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Not answering")
        page.unroute(f"{address}/")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Serving")
        expect(page.locator("#refresh-note")).to_have_text("")
    finally:
        context.close()


def test_a_link_keeps_the_keyboard_focus_when_the_page_renews_itself(chromium: Browser, address: str) -> None:
    def with_link(route: Route) -> None:
        html = route.fetch().text().replace('<div id="live">', '<div id="live"><a href="/rank-1">rank 1</a>')
        route.fulfill(body=html, content_type="text/html")

    context = chromium.new_context()
    try:
        page = context.new_page()
        page.route(f"{address}/", with_link)
        page.goto(address)
        for _ in range(4):  # The three of the head come first.
            page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="rank 1")).to_be_focused()
        page.evaluate("document.getElementById('live').dataset.old = 'yes'")
        expect(page.locator("#live[data-old]")).to_have_count(0)
        expect(page.get_by_role("link", name="rank 1")).to_be_focused()
        assert page.evaluate("document.activeElement.matches(':focus-visible')")
    finally:
        context.close()


@pytest.mark.parametrize("view", VIEWS[::3], ids=str)
def test_what_cannot_be_found_is_a_page_with_a_way_back(chromium: Browser, address: str, view: View) -> None:
    context = chromium.new_context(viewport={"width": view.width, "height": view.height}, color_scheme=view.scheme)
    try:
        page = context.new_page()
        page.goto(f"{address}/samples?split=train")
        page.get_by_label("Label contains").fill("zz")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("main")).to_contain_text("label must be up to 4 characters of the data set's alphabet")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert Axe().run(page).response["violations"] == []
        keep(page, "no-answer", view)
        page.get_by_role("link", name="First page").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Serving")
    finally:
        context.close()


@pytest.mark.parametrize("view", VIEWS[::3], ids=str)
def test_samples_are_paged_and_jumped_through(chromium: Browser, address: str, view: View) -> None:
    with visited(chromium, address, view) as page:
        page.get_by_role("link", name="Samples").click()
        page.get_by_label("Split").select_option("train")
        page.get_by_label("From index").fill("290")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Samples of train")
        expect(page.get_by_role("img")).to_have_count(24)
        assert page.evaluate("[...document.images].every(image => image.naturalWidth === 160)")
        keep(page, "samples", view)
        page.get_by_role("link", name="Next").first.click()
        expect(page.get_by_role("main")).to_contain_text("Index 314 to 337 of 50,000 samples.")
        page.get_by_role("link", name="Previous").first.click()
        page.get_by_role("link", name="Next").first.focus()
        page.keyboard.press("Tab")
        assert ring_is_inside(page)
        page.locator(".samples a").first.click()
        expect(page.get_by_role("img")).to_have_count(1)
        expect(page.get_by_role("main")).to_contain_text("Index 290 of 50,000 samples.")
        keep(page, "sample", view)


@pytest.mark.parametrize("view", VIEWS[::3], ids=str)
def test_samples_are_found_by_label_by_chance_and_past_the_end(chromium: Browser, address: str, view: View) -> None:
    with visited(chromium, f"{address}/samples?split=train", view) as page:
        page.get_by_label("Label contains").fill("42")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("main")).to_contain_text("24 samples with 42 in the label")
        assert all("42" in text for text in page.locator(".caption strong").all_inner_texts())
        keep(page, "samples-by-label", view)
        page.get_by_role("link", name="Search on").first.click()
        expect(page.get_by_role("img")).to_have_count(24)
        page.get_by_label("Label contains").fill("")
        page.get_by_role("button", name="Random").click()
        expect(page.get_by_role("img")).to_have_count(24)
        page.get_by_label("Split").select_option("test")
        page.get_by_label("From index").fill("49999")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("main")).to_contain_text("There is no index 49,999 in test")
        expect(page.get_by_role("img")).to_have_count(24)
        keep(page, "samples-past-the-end", view)
        page.get_by_role("link", name="Previous").first.click()
        expect(page.get_by_role("main")).to_contain_text("Index 452 to 475 of 500 samples.")


@pytest.mark.parametrize("view", VIEWS[::3], ids=str)
def test_damage(chromium: Browser, damaged: str, view: View) -> None:
    with visited(chromium, f"{damaged}/samples?count=48", view) as page:
        expect(page.get_by_role("img")).to_have_count(46)
        expect(page.get_by_text("cannot be rendered again")).to_have_count(2)
        keep(page, "damaged-samples", view)
        page.get_by_role("link", name="Status").click()
        expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)
        keep(page, "damaged", view)
